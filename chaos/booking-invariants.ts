import type { Check } from "../src/ledger/ledger.ts";
import { formatAmount, toCurrencyCode } from "../src/money/money.ts";
import { check, nameOf, type Evidence } from "./evidence.ts";
import type { Violation } from "./journal.ts";

/** What was taken of each order against what the ledger booked for it, and how often. */
export function walletsFitOrders({ outcomes }: Evidence): Check {
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
  return check("the ledger has each capture once, and nothing else", outcomes.length, faults);
}
