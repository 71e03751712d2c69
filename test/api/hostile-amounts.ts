import type { ErrorCode } from "../../src/errors.ts";
import { checkoutBody } from "../support/stack.ts";

export const text = (body: Record<string, unknown>): string => JSON.stringify(body);
export type Case = readonly [name: string, body: string, status: number, code: ErrorCode, param: string];

export const amount = "payment_orders[0][amount]";
export const ofOrder = (order: Record<string, unknown>): string => text(checkoutBody({}, [order]));
export const ofAmount = (value: unknown, currency = "USD"): string => ofOrder({ amount: value, currency });

export const badAmounts: readonly Case[] = [
  "abc",
  "-5.00",
  "0",
  "0.00",
  "nan",
  "NaN",
  "Infinity",
  "1e3",
  "1e400",
  "10.005",
  "10.000",
  "+5.00",
  " 5.00",
  "5.00 ",
  "5,00",
  "1,000.00",
  "0x10",
  ".5",
  "5.",
  "007",
  "٥",
  "９",
  "5−",
  "9223372036854775807",
  "9223372036854775808",
  "1000000000000000.00",
  "9".repeat(50),
].map((value): Case => [
  `the amount ${JSON.stringify(value)}`,
  ofAmount(value),
  400,
  "invalid_amount",
  amount,
]);

export const notTexts: readonly Case[] = [10, 10.5, -5, 0, 1e3, null, true, ["5.00"], { value: "5.00" }].map(
  (value): Case => [
    `the amount ${JSON.stringify(value)} instead of a string`,
    ofAmount(value),
    400,
    "invalid_request",
    amount,
  ],
);
