/** How orders ended, against their cards and what buyers did. */
import type { Check } from "../src/ledger/ledger.ts";
import { check, nameOf, type Evidence } from "./evidence.ts";
import type { Violation } from "./journal.ts";
import type { PlannedCheckout } from "./plan.ts";
import type { Outcome } from "./queries.ts";

export function nothingMoves({ outcomes, journal }: Evidence): Check {
  const final = ["AUTHORIZED", "SUCCESS", "FAILED", "CANCELED"];
  // A payment may wait for its buyer, unless the buyer has acted.
  const isOver = ({ status, payment_order_id, psp_token }: Outcome): boolean =>
    final.includes(status) ||
    (status === "PENDING" && (psp_token === null || journal.acted.get(payment_order_id) !== psp_token));
  const faults = outcomes
    .filter((outcome) => !isOver(outcome) || outcome.capturing_minor > 0n)
    .map((outcome) => ({
      subject: nameOf(outcome),
      problem: `is ${outcome.status} (${outcome.status_cause}), ${outcome.capturing_minor} of it still being captured`,
    }));
  return check("nothing is left undecided except payments that wait for a buyer", outcomes.length, faults);
}

export function endingsFitCards({ plan, outcomes }: Evidence): Check {
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
  return check("every order ended in a state that its card allows", outcomes.length, faults);
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
      if (habits.buyer === "pays") return isPaid || status === "PENDING";
      if (habits.buyer === "gives_up") return ["FAILED", "CANCELED", "PENDING"].includes(status);
      return status === "PENDING";
  }
}
