import type { Check } from "../../ledger/ledger.ts";
import { formatAmount, toCurrencyCode } from "../../money/money.ts";
import type { Effect } from "./effects.ts";
import type { Journal, Violation } from "./journal.ts";
import type { PlannedCheckout, PlannedOrder } from "./plan.ts";
import type { Outcome } from "./queries.ts";
import { referenceOf } from "./statuses.ts";

/** Everything that the three sides hold: the clients, our database, the PSP. */
export type Evidence = {
  readonly plan: readonly PlannedCheckout[];
  readonly journal: Journal;
  readonly outcomes: readonly Outcome[];
  readonly effects: readonly Effect[];
};

/** What Stripe calls one minor unit of ours, where that is not 1 (https://docs.stripe.com/currencies). */
const stripe_units: Readonly<Record<string, bigint>> = { ISK: 100n };

const check = (statement: string, count: number, faults: readonly Violation[]): Check => ({
  statement,
  checked_count: BigInt(count),
  faults: [...faults],
});
const nameOf = (order: { readonly payment_order_id: string }): string => `order ${order.payment_order_id}`;

/** All claims that hold the three sides against each other. */
export function compareSides(evidence: Evidence): Check[] {
  return [
    everythingAcceptedIsThere(evidence),
    nothingElseIsThere(evidence),
    answersAreRight(evidence),
    repetitionsAreEqual(evidence),
    paidOrdersAreCharged(evidence),
    externalOrdersAreReported(evidence),
    paidPagesAreCharged(evidence),
    chargesAreExplained(evidence),
    nobodyIsChargedTwice(evidence),
    nothingMoves(evidence),
    endingsFitCards(evidence),
    walletsFitOrders(evidence),
  ];
}

/** What was taken in is kept. */
function everythingAcceptedIsThere({ plan, journal, outcomes }: Evidence): Check {
  const found = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const faults = plan.flatMap((checkout): Violation[] => {
    if (!journal.accepted.has(checkout.checkout_id))
      return [{ subject: `checkout ${checkout.checkout_id}`, problem: "was never answered with 202" }];
    return checkout.orders.flatMap((order): Violation[] => {
      const problem = differenceOf(checkout, order, found.get(order.payment_order_id));
      return problem === undefined ? [] : [{ subject: nameOf(order), problem }];
    });
  });
  return check("every checkout was answered with 202, and is there as it was sent", plan.length, faults);
}

function differenceOf(
  checkout: PlannedCheckout,
  { money, seller_account }: PlannedOrder,
  found: Outcome | undefined,
): string | undefined {
  if (found === undefined) return "was accepted and is not there";
  const sent = [checkout.checkout_id, seller_account, money.amount_minor, money.currency].join(" ");
  const stored = [found.checkout_id, found.seller_account, found.amount_minor, found.currency].join(" ");
  return sent === stored ? undefined : `was sent as ${sent} and is stored as ${stored}`;
}

function nothingElseIsThere({ plan, outcomes }: Evidence): Check {
  const planned = new Set(plan.flatMap((checkout) => checkout.orders.map((order) => order.payment_order_id)));
  const faults = outcomes
    .filter((outcome) => !planned.has(outcome.payment_order_id))
    .map((outcome) => ({ subject: nameOf(outcome), problem: "nobody sent it, or it was refused" }));
  return check("what was refused left no order", outcomes.length, faults);
}

function answersAreRight({ journal }: Evidence): Check {
  return check(
    "every answer was one that may come: no 5xx but 503, nothing refused that is right or taken that is wrong",
    journal.answer_count,
    journal.wrong_answers,
  );
}

function repetitionsAreEqual({ journal }: Evidence): Check {
  return check(
    "a repeated checkout was always answered with the same bytes",
    journal.accepted.size,
    journal.wrong_repetitions,
  );
}

/** Nothing is taken twice, from our side. */
function paidOrdersAreCharged({ plan, outcomes, effects }: Evidence): Check {
  const elsewhere = new Set([...pagesOf(plan), ...externalsOf(plan).keys()]);
  const charged = Map.groupBy(effects, (effect) => effect.metadata.payment_order_id);
  const paid = outcomes.filter(
    (outcome) => outcome.captured_minor > 0n && !elsewhere.has(outcome.checkout_id),
  );
  const faults = paid.flatMap((order): Violation[] => {
    const problem = differenceToCharges(order, charged.get(order.payment_order_id) ?? []);
    return problem === undefined ? [] : [{ subject: nameOf(order), problem }];
  });
  return check(
    "what was taken of each order was taken at the PSP, each capture exactly once, by the attempt that we hold to have succeeded",
    paid.length,
    faults,
  );
}

/** Nothing is taken twice on pages, each of which is one charge for all the orders of its checkout. */
function paidPagesAreCharged({ plan, outcomes, effects }: Evidence): Check {
  const pages = pagesOf(plan);
  const charged = Map.groupBy(
    effects.filter(({ metadata }) => metadata.payment_order_id === undefined),
    (effect) => effect.metadata.checkout_id,
  );
  const checkouts = Map.groupBy(
    outcomes.filter(({ checkout_id }) => pages.has(checkout_id)),
    (outcome) => outcome.checkout_id,
  );
  const faults = [...checkouts].flatMap(([checkout_id, orders]): Violation[] => {
    const [first] = orders;
    const taken =
      orders.reduce((sum, order) => sum + order.captured_minor, 0n) *
      (stripe_units[first?.currency ?? ""] ?? 1n);
    const wanted = taken === 0n ? "nothing" : [taken, first?.currency, first?.paid_attempt_id].join(" ");
    const found = (charged.get(checkout_id) ?? []).map(({ amount_minor, currency, metadata }) =>
      [amount_minor, currency.toUpperCase(), metadata.attempt_id].join(" "),
    );
    if (
      wanted === (found.length === 0 ? "nothing" : found.join(", ")) ||
      orders.some((order) => order.has_open_case)
    )
      return [];
    return [
      {
        subject: `checkout ${checkout_id}`,
        problem: `is ${wanted} here and ${found.join(", ") || "nothing"} at the PSP's page`,
      },
    ];
  });
  return check(
    "what was paid on a page was charged there once, for all its orders, and no page was paid that is not",
    checkouts.size,
    faults,
  );
}

const externalsOf = (plan: Evidence["plan"]): ReadonlyMap<string, PlannedCheckout> =>
  new Map(
    plan.filter(({ habits }) => habits.external !== null).map((checkout) => [checkout.checkout_id, checkout]),
  );

/** Such an order is paid only by a status of its collector. */
function externalOrdersAreReported({ plan, outcomes, effects }: Evidence): Check {
  const externals = externalsOf(plan);
  const charged = new Set(effects.map(({ metadata }) => metadata.payment_order_id));
  const orders = outcomes.filter(({ checkout_id }) => externals.has(checkout_id));
  const faults = orders.flatMap((order): Violation[] => {
    if (charged.has(order.payment_order_id))
      return [{ subject: nameOf(order), problem: "is collected elsewhere, and was charged at the PSP" }];
    if (order.captured_minor === 0n) return [];
    const isReported =
      externals.get(order.checkout_id)?.habits.external === "success" &&
      order.psp_token === referenceOf(order);
    return isReported
      ? []
      : [
          {
            subject: nameOf(order),
            problem: `is paid by ${order.psp_token ?? "nothing"}, which its collector did not report`,
          },
        ];
  });
  return check(
    "what is collected elsewhere is paid only where its own collector has reported it, and never charged at the PSP",
    orders.length,
    faults,
  );
}

const pagesOf = (plan: Evidence["plan"]): ReadonlySet<string> =>
  new Set(plan.filter(({ habits }) => habits.page !== null).map(({ checkout_id }) => checkout_id));

function differenceToCharges(order: Outcome, charges: readonly Effect[]): string | undefined {
  const [charge] = charges;
  if (charge === undefined) return "is paid here and was never charged at the PSP";
  const unit = stripe_units[order.currency] ?? 1n;
  const amounts = order.captures === "" ? [order.captured_minor] : order.captures.split(" ").map(BigInt);
  const wanted = [
    ...amounts.map((amount) => amount * unit),
    order.currency,
    order.paid_attempt_id,
    order.psp_token,
  ].join(" ");
  const taken = charges.map(({ amount_minor }) => amount_minor).toSorted((a, b) => a - b);
  const others = new Set(
    charges.map(({ currency, metadata, payment_intent }) =>
      [currency.toUpperCase(), metadata.attempt_id, payment_intent].join(" "),
    ),
  );
  const found = [...taken, ...others].join(" ");
  return wanted === found
    ? undefined
    : `is ${wanted} here and ${found} at the PSP; its attempts: ${order.attempts}`;
}

/** Nothing is taken twice, from the PSP's side. */
function chargesAreExplained({ plan, outcomes, effects }: Evidence): Check {
  const orders = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const pages = pagesOf(plan);
  const faults = effects.flatMap((effect): Violation[] => {
    if (effect.metadata.payment_order_id === undefined && pages.has(effect.metadata.checkout_id ?? ""))
      return [];
    const order = orders.get(effect.metadata.payment_order_id ?? "");
    const subject = `charge ${effect.payment_intent} for order ${effect.metadata.payment_order_id ?? "(none)"}`;
    if (order === undefined) return [{ subject, problem: "there is no such order" }];
    if (order.captured_minor > 0n || order.has_open_case) return [];
    return [
      {
        subject,
        problem: `the order is ${order.status}, and no dead letter tells of the charge; its attempts: ${order.attempts}`,
      },
    ];
  });
  return check(
    "each charge at the PSP belongs to a paid order, or is an open case that a person sees",
    effects.length,
    faults,
  );
}

/** I4 at the PSP. */
function nobodyIsChargedTwice({ outcomes, effects }: Evidence): Check {
  const orders = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const ofOrders = effects.filter(({ metadata }) => metadata.payment_order_id !== undefined);
  const faults = [...Map.groupBy(ofOrders, (effect) => effect.metadata.payment_order_id ?? "")].flatMap(
    ([id, charges]): Violation[] => {
      const order = orders.get(id);
      const taken = charges.reduce((sum, charge) => sum + BigInt(charge.amount_minor), 0n);
      if (order !== undefined && taken <= order.amount_minor * (stripe_units[order.currency] ?? 1n))
        return [];
      return [
        {
          subject: `order ${id}`,
          problem: `was charged ${charges.length} times, ${taken} in all: ${charges.map((charge) => `${charge.payment_intent} by ${charge.metadata.attempt_id ?? "?"}`).join(", ")}`,
        },
      ];
    },
  );
  return check("no order was charged twice, and none for more than its amount", effects.length, faults);
}

function nothingMoves({ outcomes, journal }: Evidence): Check {
  const final = ["AUTHORIZED", "SUCCESS", "FAILED", "CANCELED"];
  // A payment that waits for its buyer may do so, unless he has acted on it.
  const isOver = ({ status, payment_order_id, psp_token }: Outcome): boolean =>
    final.includes(status) ||
    (status === "PENDING" && (psp_token === null || journal.acted.get(payment_order_id) !== psp_token));
  const faults = outcomes
    .filter((outcome) => !isOver(outcome) || outcome.capturing_minor > 0n)
    .map((outcome) => ({
      subject: nameOf(outcome),
      problem: `is ${outcome.status} (${outcome.status_cause}), ${outcome.capturing_minor} of it under capture`,
    }));
  return check(
    "nothing is left undecided, but what waits for a buyer who has not acted",
    outcomes.length,
    faults,
  );
}

function endingsFitCards({ plan, outcomes }: Evidence): Check {
  const found = new Map(outcomes.map((outcome) => [outcome.payment_order_id, outcome]));
  const faults = plan.flatMap((checkout) =>
    checkout.orders.flatMap((order): Violation[] => {
      const outcome = found.get(order.payment_order_id);
      if (outcome === undefined || mayEnd(checkout, outcome)) return [];
      return [
        {
          subject: nameOf(order),
          problem: `ended ${outcome.status} (${outcome.status_cause}) with ${checkout.card.token}; its attempts: ${outcome.attempts}`,
        },
      ];
    }),
  );
  return check("every order ended as its card must end", outcomes.length, faults);
}

function mayEnd(
  { card, habits }: PlannedCheckout,
  { status, status_cause, captured_minor }: Outcome,
): boolean {
  const { captures, page, external } = habits;
  if (external !== null) {
    return (
      status === { success: "SUCCESS", failed: "FAILED", none: "PENDING" }[external] ||
      (habits.cancels && status === "CANCELED") ||
      status_cause === "risk_review" ||
      status_cause === "risk_rejected"
    );
  }
  // A cancel may come before the buyer or after.
  if (page !== null)
    return (
      status === "PENDING" ||
      (page.buyer !== "leaves" && status === "SUCCESS") ||
      (habits.cancels && status === "CANCELED")
    );
  if ((habits.cancels || captures?.ending === "cancel") && status === "CANCELED") return true;
  const isPaid =
    captures === null
      ? status === "SUCCESS"
      : status === "AUTHORIZED" || (status === "SUCCESS" && captured_minor > 0n);
  // Held or refused by risk rules that the user has set.
  if (status_cause === "risk_review" || status_cause === "risk_rejected") return true;
  // Faults of passing charges may use up the attempts of any card.
  if (status === "FAILED" && status_cause === "retries_exhausted") return true;
  switch (card.ending) {
    case "paid":
      return isPaid;
    case "declined":
    case "given_up":
      return status === "FAILED";
    case "paid_or_given_up":
      return isPaid || status === "FAILED";
    case "waits_for_buyer":
      return habits.buyer === "pays"
        ? isPaid || status === "PENDING"
        : habits.buyer === "gives_up"
          ? ["FAILED", "CANCELED", "PENDING"].includes(status)
          : status === "PENDING";
  }
}

/** What was taken of each order against what the ledger booked for it, and how often. */
function walletsFitOrders({ outcomes }: Evidence): Check {
  const faults = outcomes.flatMap((order): Violation[] => {
    const booked = order.seller_credit_minor + order.commission_minor;
    const count =
      order.captured_minor === 0n ? 0 : order.captures === "" ? 1 : order.captures.split(" ").length;
    if (booked === order.captured_minor && order.capture_count === count) return [];
    const amount = (amount_minor: bigint): string =>
      formatAmount({ amount_minor, currency: toCurrencyCode(order.currency) });
    return [
      {
        subject: nameOf(order),
        problem: `is ${order.status}, ${amount(order.captured_minor)} ${order.currency} of it taken; the ledger booked ${amount(booked)} in ${order.capture_count} transactions`,
      },
    ];
  });
  return check("the ledger holds each capture once, and nothing else", outcomes.length, faults);
}
