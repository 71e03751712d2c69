/** What clients sent and were answered, against what is stored. */
import type { Check } from "../src/ledger/ledger.ts";
import { check, nameOf, type Evidence } from "./evidence.ts";
import type { Violation } from "./journal.ts";
import type { PlannedCheckout, PlannedOrder } from "./plan.ts";
import type { Outcome } from "./queries.ts";

/** Accepted checkouts are kept. */
export function everythingAcceptedIsThere({ plan, journal, outcomes }: Evidence): Check {
  const found = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const faults = plan.flatMap((checkout): Violation[] => {
    if (!journal.accepted.has(checkout.checkout_id))
      return [{ subject: `checkout ${checkout.checkout_id}`, problem: "was never answered with 202" }];
    return checkout.orders.flatMap((order): Violation[] => {
      const problem = differenceOf(checkout, order, found.get(order.payment_order_id));
      return problem === undefined ? [] : [{ subject: nameOf(order), problem }];
    });
  });
  return check("every checkout was answered with 202 and is stored as it was sent", plan.length, faults);
}

function differenceOf(
  checkout: PlannedCheckout,
  { money, seller_account }: PlannedOrder,
  found: Outcome | undefined,
): string | undefined {
  if (found === undefined) return "was accepted but is missing";
  const sent = [checkout.checkout_id, seller_account, money.amount_minor, money.currency].join(" ");
  const stored = [found.checkout_id, found.seller_account, found.amount_minor, found.currency].join(" ");
  return sent === stored ? undefined : `was sent as ${sent} and is stored as ${stored}`;
}

export function nothingElseIsThere({ plan, outcomes }: Evidence): Check {
  const planned = new Set(plan.flatMap((checkout) => checkout.orders.map((order) => order.payment_order_id)));
  const faults = outcomes
    .filter((outcome) => !planned.has(outcome.payment_order_id))
    .map((outcome) => ({ subject: nameOf(outcome), problem: "was never sent, or was refused" }));
  return check("refused requests left no order", outcomes.length, faults);
}

export function answersAreRight({ journal }: Evidence): Check {
  return check(
    "every answer was allowed: no 5xx except 503, no valid request refused, no invalid one accepted",
    journal.answer_count,
    journal.wrong_answers,
  );
}

export function repetitionsAreEqual({ journal }: Evidence): Check {
  return check(
    "a repeated checkout was always answered with the same bytes",
    journal.accepted.size,
    journal.wrong_repetitions,
  );
}
