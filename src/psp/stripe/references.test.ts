import type Stripe from "stripe";
import { expect, test } from "vitest";
import { referencesOfIntent, referencesOfSession } from "./references.ts";

// The ids are those of Stripe's published fixtures.
const id = "pi_1PgafyB7WZ01zgkWSjxsAJo3";
const charge = "ch_1PgafuB7WZ01zgkWXYmPNZs8";
const balance_transaction = "txn_1PgaxNB7WZ01zgkWEV3TLf40";
const session = "cs_test_a1YS1URlnyQCN5fUUduORoQ7Pw41PJqDWkIVQCpJPqkfIhd6tVY8XB1OLY";

const intent = (latest_charge: unknown): Stripe.PaymentIntent =>
  ({ id, latest_charge }) as Stripe.PaymentIntent;
const [named, charged, booked] = [
  { type: "payment_intent", reference: id },
  { type: "charge", reference: charge },
  { type: "balance_transaction", reference: balance_transaction },
];

test.each([
  ["no charge yet", null, [named]],
  ["its charge by its id", charge, [named, charged]],
  ["a charge in full that is not captured", { id: charge, balance_transaction: null }, [named, charged]],
  ["a charge in full", { id: charge, balance_transaction }, [named, charged, booked]],
  [
    "both in full",
    { id: charge, balance_transaction: { id: balance_transaction } },
    [named, charged, booked],
  ],
])("an intent that shows %s gives the ids in it", (_what, latest_charge, expected) => {
  expect(referencesOfIntent(intent(latest_charge))).toEqual(expected);
});

test.each([[7], [""], ["c".repeat(256)], ["ch_\u0000"], ["ch_\ud800"]])(
  "an id that cannot be stored (%j) is left out, and the others stay",
  (latest_charge) => {
    expect(referencesOfIntent(intent(latest_charge))).toEqual([named]);
  },
);

test("a session gives its own id, and that of its intent once there is one", () => {
  const open = { id: session, payment_intent: null };
  const own = { type: "checkout_session", reference: session };
  const read = (sent: unknown): unknown => referencesOfSession(sent as Stripe.Checkout.Session);
  expect(read(open)).toEqual([own]);
  expect(read({ ...open, payment_intent: id })).toEqual([own, named]);
});
