import { defineAdapter, type CardAccount } from "../../src/psp/adapter.ts";
import { clientOptions, readCardAccount } from "../../src/psp/card-account.ts";
import { createStripe } from "../../src/psp/stripe/stripe.ts";

/** A pretend PSP with a field of its own; it speaks as Stripe does. */
export const pretend = defineAdapter<CardAccount & { readonly kind: "pretend"; readonly branch: string }>({
  kind: "pretend",
  takes_cards: true,
  own_fields: ["branch"],
  own_fields_are: "is for Pretend only",
  read: (fields, name, limits) => ({
    ...readCardAccount(fields, name, limits),
    kind: "pretend",
    branch: fields.text("branch", (text) => /^[A-Z]+$/.test(text), "a branch in capital letters"),
  }),
  create: (account) => createStripe({ ...clientOptions(account), name: `${account.name}-${account.branch}` }),
  isTestKey: (key) => key.startsWith("pretend_test_"),
});
