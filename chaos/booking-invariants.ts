import type { Check } from "../src/ledger/ledger.ts";
import { formatAmount, toCurrencyCode } from "../src/money/money.ts";
import { check, nameOf, type Evidence } from "./evidence.ts";
import type { Violation } from "./journal.ts";

/** What was taken of each order against what the ledger booked for it, and how often. */
export function walletsFitOrders({ outcomes }: Evidence): Check {
  const faults = outcomes.flatMap((order): Violation[] => {
    const booked = order.seller_credit_minor + order.commission_minor;
    if (booked === order.captured_minor && order.capture_count === capturesOf(order)) return [];
    const amount = (amount_minor: bigint): string =>
      formatAmount({ amount_minor, currency: toCurrencyCode(order.currency) });
    return [
      {
        subject: nameOf(order),
        problem:
          `is ${order.status}, ${amount(order.captured_minor)} ${order.currency} of it taken; ` +
          `the ledger booked ${amount(booked)} in ${order.capture_count} transactions`,
      },
    ];
  });
  return check("the ledger has each capture once, and nothing else", outcomes.length, faults);
}

/** An order that was captured at once lists no captures. */
function capturesOf({ captured_minor, captures }: Evidence["outcomes"][number]): number {
  if (captured_minor === 0n) return 0;
  return captures === "" ? 1 : captures.split(" ").length;
}
