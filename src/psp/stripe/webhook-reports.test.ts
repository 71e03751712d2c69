import { expect, test } from "vitest";
import {
  event,
  openStripe as open,
  reportIn,
  type IntentChanges,
} from "../../../test/support/stripe-events.ts";

const body = event("payment_intent.succeeded");

const declinedOf = (error: unknown): IntentChanges => ({
  status: "requires_payment_method",
  amount_received: 0,
  last_payment_error: error,
});
const references = [{ type: "payment_intent", reference: "pi_1" }];

test("each event about an intent is read as what became of the charge", () => {
  expect(open().readWebhook(body, "automatic")).toEqual({
    attempt_id: "att_1",
    payment_order_id: "order-1",
    outcome: {
      kind: "succeeded",
      psp_reference: "pi_1",
      charged: { amount_minor: 1_999n, currency: "USD" },
      references,
    },
  });
  expect(reportIn("payment_intent.processing", { status: "processing" })).toStrictEqual({
    kind: "pending",
    psp_reference: "pi_1",
    next_action: null,
    references,
  });
  // The inbox keeps no next action and no client secret, so none is told.
  expect(
    reportIn("payment_intent.requires_action", {
      status: "requires_action",
      client_secret: "pi_1_secret_2",
      next_action: { type: "use_stripe_sdk", use_stripe_sdk: { secret: 1 } },
    }),
  ).toStrictEqual({ kind: "pending", psp_reference: "pi_1", references });
  expect(
    reportIn(
      "payment_intent.payment_failed",
      declinedOf({ code: "card_declined", decline_code: "insufficient_funds", message: "No money." }),
    ),
  ).toEqual({
    kind: "declined",
    is_open: true,
    psp_reference: "pi_1",
    failure: { class: "hard_decline", code: "insufficient_funds", message: "No money." },
    references,
  });
  expect(
    reportIn("payment_intent.payment_failed", declinedOf({ code: "processing_error", message: "Later." })),
  ).toMatchObject({ failure: { class: "transient_decline", code: "processing_error" } });
  // Without an error no card was tried: it waits for one.
  expect(reportIn("payment_intent.payment_failed", declinedOf(null))).toStrictEqual({
    kind: "pending",
    psp_reference: "pi_1",
    next_action: null,
    references,
  });
  expect(reportIn("payment_intent.canceled", { status: "canceled" })).toMatchObject({
    kind: "declined",
    failure: { class: "hard_decline", code: "canceled_at_psp" },
  });
});

test("an intent in a state or a currency that we do not know is unknown, never a success", () => {
  expect(reportIn("payment_intent.succeeded", { status: "brand_new" })).toMatchObject({ kind: "unknown" });
  expect(reportIn("payment_intent.succeeded", { currency: "zzz" })).toMatchObject({ kind: "unknown" });
  expect(reportIn("payment_intent.succeeded", { currency: "isk", amount_received: 550 })).toMatchObject({
    kind: "unknown",
  });
});

test("what was received counts, not what was asked for", () => {
  expect(reportIn("payment_intent.succeeded", { amount: 1_999, amount_received: 1_000 })).toMatchObject({
    charged: { amount_minor: 1_000n },
  });
});

test("events about other things report nothing about a payment", () => {
  for (const type of ["customer.created", "charge.succeeded", "invoice.paid", "refunded"])
    expect(open().readWebhook(event(type), "automatic"), type).toBeNull();
});
