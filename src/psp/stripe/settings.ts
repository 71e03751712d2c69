/** The settings of accounts at Stripe: in PSP_ACCOUNTS, or the one of PSP_STRIPE_…. */
import { defineAdapter, type AccountOfVariables, type CardAccount } from "../adapter.ts";
import { clientOptions, readCardAccount } from "../card-account.ts";
import { createStripe } from "./stripe.ts";

type StripeAccount = CardAccount & { readonly kind: "stripe" };

/** Stands for the key, which development does not need. */
const key_not_configured = "sk_test_not_configured";

export const stripe = defineAdapter<StripeAccount>({
  kind: "stripe",
  takes_cards: true,
  own_fields: [],
  own_fields_are: "is for Stripe only",
  read: (fields, name, limits) => ({ ...readCardAccount(fields, name, limits), kind: "stripe" }),
  create: (account) => createStripe(clientOptions(account)),
  isTestKey: (key) => /^[rs]k_(org_)?test_/.test(key),
  secret_prefix: /^(whsec_|[rs]k_(live_|test_|org_)?)/,
  published_keys: ["4eC39HqLyjWDarjtT1zdp7dc", "BQokikJOvBiI2HlWgH4olfQ2", "tR3PYbcVNZZ796tH88S4VQ2u"],
});

export const stripeOfVariables: AccountOfVariables = {
  name: "stripe",
  variables: {
    secret_key: "PSP_STRIPE_SECRET_KEY",
    webhook_secrets: "PSP_STRIPE_WEBHOOK_SECRET",
    api_base: "PSP_STRIPE_API_BASE",
  },
  psp: "Stripe",
  development_keys: [key_not_configured, "sk_test_simulator"],
  read: (read, limits): StripeAccount => ({
    name: "stripe",
    kind: "stripe",
    secret_key: read.text("PSP_STRIPE_SECRET_KEY", key_not_configured),
    webhook_secrets: read.list("PSP_STRIPE_WEBHOOK_SECRET"),
    api_base: read.url("PSP_STRIPE_API_BASE"),
    ...limits,
  }),
};
