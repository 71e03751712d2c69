import type { Check } from "../src/ledger/ledger.ts";
import type { Effect } from "./effects.ts";
import type { Journal, Violation } from "./journal.ts";
import type { PlannedCheckout } from "./plan.ts";
import type { Outcome } from "./queries.ts";

/** Everything that the three sides hold: the clients, our database, the PSP. */
export type Evidence = {
  readonly plan: readonly PlannedCheckout[];
  readonly journal: Journal;
  readonly outcomes: readonly Outcome[];
  readonly effects: readonly Effect[];
};

/** What Stripe calls one minor unit of ours, where that is not 1 (https://docs.stripe.com/currencies). */
export const stripe_units: Readonly<Record<string, bigint>> = { ISK: 100n };

export const check = (statement: string, count: number, faults: readonly Violation[]): Check => ({
  statement,
  checked_count: BigInt(count),
  faults: [...faults],
});

export const nameOf = (order: { readonly payment_order_id: string }): string =>
  `order ${order.payment_order_id}`;

export const externalsOf = (plan: Evidence["plan"]): ReadonlyMap<string, PlannedCheckout> =>
  new Map(
    plan.filter(({ habits }) => habits.external !== null).map((checkout) => [checkout.checkout_id, checkout]),
  );

export const pagesOf = (plan: Evidence["plan"]): ReadonlySet<string> =>
  new Set(plan.filter(({ habits }) => habits.page !== null).map(({ checkout_id }) => checkout_id));
