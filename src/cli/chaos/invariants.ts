import type { Check } from "../../ledger/ledger.ts";
import { formatAmount, toCurrencyCode } from "../../money/money.ts";
import type { Effect } from "./effects.ts";
import type { Journal, Violation } from "./journal.ts";
import type { PlannedCheckout, PlannedOrder } from "./plan.ts";
import type { Outcome } from "./queries.ts";

/** Everything that the three sides hold: the clients, our database, the PSP. */
export type Evidence = {
  readonly plan: readonly PlannedCheckout[];
  readonly journal: Journal;
  readonly outcomes: readonly Outcome[];
  readonly effects: readonly Effect[];
};

/** What Stripe calls one minor unit of ours, where that is not 1 (https://docs.stripe.com/currencies). */
const stripe_units: Readonly<Record<string, bigint>> = { ISK: 100n };

const check = (statement: string, count: number, faults: readonly Violation[]): Check => ({ statement, checked_count: BigInt(count), faults: [...faults] });
const nameOf = (order: { readonly payment_order_id: string }): string => `order ${order.payment_order_id}`;

/** All claims that hold the three sides against each other. */
export function compareSides(evidence: Evidence): Check[] {
  return [
    everythingAcceptedIsThere(evidence), nothingElseIsThere(evidence), answersAreRight(evidence), repetitionsAreEqual(evidence),
    paidOrdersAreCharged(evidence), chargesAreExplained(evidence), nobodyIsChargedTwice(evidence),
    nothingMoves(evidence), endingsFitCards(evidence), walletsFitOrders(evidence),
  ];
}

/** I7. */
function everythingAcceptedIsThere({ plan, journal, outcomes }: Evidence): Check {
  const found = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const faults = plan.flatMap((checkout): Violation[] => {
    if (!journal.accepted.has(checkout.checkout_id)) return [{ subject: `checkout ${checkout.checkout_id}`, problem: "was never answered with 202" }];
    return checkout.orders.flatMap((order): Violation[] => {
      const problem = differenceOf(checkout, order, found.get(order.payment_order_id));
      return problem === undefined ? [] : [{ subject: nameOf(order), problem }];
    });
  });
  return check("I7: every checkout was answered with 202, and is there as it was sent", plan.length, faults);
}

function differenceOf(checkout: PlannedCheckout, { money, seller_account }: PlannedOrder, found: Outcome | undefined): string | undefined {
  if (found === undefined) return "was accepted and is not there";
  const sent = [checkout.checkout_id, seller_account, money.amount_minor, money.currency].join(" ");
  const stored = [found.checkout_id, found.seller_account, found.amount_minor, found.currency].join(" ");
  return sent === stored ? undefined : `was sent as ${sent} and is stored as ${stored}`;
}

function nothingElseIsThere({ plan, outcomes }: Evidence): Check {
  const planned = new Set(plan.flatMap((checkout) => checkout.orders.map((order) => order.payment_order_id)));
  const faults = outcomes.filter((outcome) => !planned.has(outcome.payment_order_id)).map((outcome) => ({ subject: nameOf(outcome), problem: "nobody sent it, or it was refused" }));
  return check("I6: what was refused left no order", outcomes.length, faults);
}

function answersAreRight({ journal }: Evidence): Check {
  return check("every answer was one that may come: no 5xx but 503, nothing refused that is right or taken that is wrong", journal.answer_count, journal.wrong_answers);
}

function repetitionsAreEqual({ journal }: Evidence): Check {
  return check("I6: a repeated checkout was always answered with the same bytes", journal.accepted.size, journal.wrong_repetitions);
}

/** I5, from our side. */
function paidOrdersAreCharged({ outcomes, effects }: Evidence): Check {
  const charged = Map.groupBy(effects, (effect) => effect.metadata.payment_order_id);
  const paid = outcomes.filter((outcome) => outcome.status === "SUCCESS");
  const faults = paid.flatMap((order): Violation[] => {
    const [effect, ...others] = charged.get(order.payment_order_id) ?? [];
    const problem = effect === undefined ? "is paid here and was never charged at the PSP"
      : others.length > 0 ? `is paid once here and was charged ${others.length + 1} times; its attempts: ${order.attempts}`
      : differenceToCharge(order, effect);
    return problem === undefined ? [] : [{ subject: nameOf(order), problem }];
  });
  return check("I5: each paid order was charged exactly once, its amount, by the attempt that we hold to have succeeded", paid.length, faults);
}

function differenceToCharge(order: Outcome, { payment_intent, amount_minor, currency, metadata }: Effect): string | undefined {
  const wanted = [order.amount_minor * (stripe_units[order.currency] ?? 1n), order.currency, order.paid_attempt_id, order.psp_token].join(" ");
  const found = [amount_minor, currency.toUpperCase(), metadata.attempt_id, payment_intent].join(" ");
  return wanted === found ? undefined : `is ${wanted} here and ${found} at the PSP`;
}

/** I5, from the PSP's side. */
function chargesAreExplained({ outcomes, effects }: Evidence): Check {
  const orders = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const faults = effects.flatMap((effect): Violation[] => {
    const order = orders.get(effect.metadata.payment_order_id ?? "");
    const subject = `charge ${effect.payment_intent} for order ${effect.metadata.payment_order_id ?? "(none)"}`;
    if (order === undefined) return [{ subject, problem: "there is no such order" }];
    if (order.status === "SUCCESS" || order.has_open_case) return [];
    return [{ subject, problem: `the order is ${order.status}, and no dead letter tells of the charge; its attempts: ${order.attempts}` }];
  });
  return check("I5: each charge at the PSP belongs to a paid order, or is an open case that a person sees", effects.length, faults);
}

function nobodyIsChargedTwice({ effects }: Evidence): Check {
  const faults = [...Map.groupBy(effects, (effect) => effect.metadata.payment_order_id ?? "")]
    .filter(([, charges]) => charges.length > 1)
    .map(([order, charges]) => ({ subject: `order ${order}`, problem: `was charged ${charges.length} times: ${charges.map((charge) => `${charge.payment_intent} by ${charge.metadata.attempt_id ?? "?"}`).join(", ")}` }));
  return check("I5: no order was charged twice", effects.length, faults);
}

function nothingMoves({ outcomes, journal }: Evidence): Check {
  const final = ["SUCCESS", "FAILED", "CANCELED"];
  const faults = outcomes
    .filter(({ status, payment_order_id }) => !final.includes(status) && (status !== "PENDING" || journal.acted.has(payment_order_id)))
    .map((outcome) => ({ subject: nameOf(outcome), problem: `is ${outcome.status} (${outcome.status_cause})` }));
  return check("nothing is left undecided", outcomes.length, faults);
}

function endingsFitCards({ plan, outcomes }: Evidence): Check {
  const found = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const faults = plan.flatMap((checkout) => checkout.orders.flatMap((order): Violation[] => {
    const outcome = found.get(order.payment_order_id);
    if (outcome === undefined || mayEnd(checkout, outcome)) return [];
    return [{ subject: nameOf(order), problem: `ended ${outcome.status} (${outcome.status_cause}) with ${checkout.card.token}; its attempts: ${outcome.attempts}` }];
  }));
  return check("every order ended as its card must end", outcomes.length, faults);
}

function mayEnd({ card, habits }: PlannedCheckout, { status, status_cause }: Outcome): boolean {
  if (habits.cancels && status === "CANCELED") return true;
  // Held or refused by risk rules that the user has set.
  if (status_cause === "risk_review" || status_cause === "risk_rejected") return true;
  // Faults of passing charges may use up the attempts of any card.
  if (status === "FAILED" && status_cause === "retries_exhausted") return true;
  switch (card.ending) {
    case "paid":
      return status === "SUCCESS";
    case "declined":
    case "given_up":
      return status === "FAILED";
    case "paid_or_given_up":
      return status === "SUCCESS" || status === "FAILED";
    case "waits_for_buyer":
      return habits.buyer === "pays" ? ["SUCCESS", "PENDING"].includes(status)
        : habits.buyer === "gives_up" ? ["FAILED", "CANCELED", "PENDING"].includes(status) : status === "PENDING";
  }
}

/** Gross of the paid orders against what the ledger booked for each, and how often. */
function walletsFitOrders({ outcomes }: Evidence): Check {
  const faults = outcomes.flatMap((order): Violation[] => {
    const isPaid = order.status === "SUCCESS";
    const booked = order.seller_credit_minor + order.commission_minor;
    const right = isPaid ? order.amount_minor : 0n;
    if (booked === right && order.capture_count === (isPaid ? 1 : 0)) return [];
    const amount = (amount_minor: bigint): string => formatAmount({ amount_minor, currency: toCurrencyCode(order.currency) });
    return [{ subject: nameOf(order), problem: `is ${order.status}, ${amount(order.amount_minor)} ${order.currency}; the ledger booked ${amount(booked)} in ${order.capture_count} transactions` }];
  });
  return check("the ledger holds each paid order once, and nothing of the others", outcomes.length, faults);
}
