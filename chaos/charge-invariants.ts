/** What was taken at the PSP, against what was paid here. */
import type { Check } from "../src/ledger/ledger.ts";
import type { Effect } from "./effects.ts";
import { check, externalsOf, nameOf, pagesOf, stripe_units, type Evidence } from "./evidence.ts";
import type { Violation } from "./journal.ts";
import type { Outcome } from "./queries.ts";
import { referenceOf } from "./statuses.ts";

/** Nothing is taken twice, from our side. */
export function paidOrdersAreCharged({ plan, outcomes, effects }: Evidence): Check {
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
    "each paid order was charged at the PSP, each capture exactly once, by the attempt recorded as succeeded",
    paid.length,
    faults,
  );
}

function differenceToCharges(order: Outcome, charges: readonly Effect[]): string | undefined {
  const [charge] = charges;
  if (charge === undefined) return "is paid here but was never charged at the PSP";
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

/** No page is charged twice; each page is one charge for all orders of its checkout. */
export function paidPagesAreCharged({ plan, outcomes, effects }: Evidence): Check {
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
    "each page was charged once for all its orders if it is paid here, and not at all otherwise",
    checkouts.size,
    faults,
  );
}

/** An order of an external account is paid only by a status from its collector. */
export function externalOrdersAreReported({ plan, outcomes, effects }: Evidence): Check {
  const externals = externalsOf(plan);
  const charged = new Set(effects.map(({ metadata }) => metadata.payment_order_id));
  const orders = outcomes.filter(({ checkout_id }) => externals.has(checkout_id));
  const faults = orders.flatMap((order): Violation[] => {
    if (charged.has(order.payment_order_id))
      return [
        { subject: nameOf(order), problem: "belongs to an external account but was charged at the PSP" },
      ];
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
    "orders of external accounts are paid only if their own collector reported it, and are never charged at the PSP",
    orders.length,
    faults,
  );
}

/** Nothing is taken twice, from the PSP's side. */
export function chargesAreExplained({ plan, outcomes, effects }: Evidence): Check {
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
        problem: `the order is ${order.status}, and no dead letter reports the charge; its attempts: ${order.attempts}`,
      },
    ];
  });
  return check(
    "each charge at the PSP belongs to a paid order or has an open dead letter",
    effects.length,
    faults,
  );
}

/** By the PSP's own books, whatever ours say. */
export function nobodyIsChargedTwice({ outcomes, effects }: Evidence): Check {
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
  return check("no order was charged twice or for more than its amount", effects.length, faults);
}
