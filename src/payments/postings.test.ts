import fc from "fast-check";
import { expect, test } from "vitest";
import { amount_minor_max } from "../money/money.ts";
import { capturePosting, captureSource } from "./postings.ts";

const orders = fc.record({
  payment_order_id: fc.string({ minLength: 1, maxLength: 255 }), seller_account: fc.string({ minLength: 1, maxLength: 255 }),
  amount_minor: fc.oneof(fc.bigInt({ min: 1n, max: 20n }), fc.bigInt({ min: 1n, max: amount_minor_max })), currency: fc.constantFrom("USD", "JPY", "BHD"),
});
const rates = fc.oneof(fc.constantFrom(0n, 1n, 10_000n), fc.bigInt({ min: 0n, max: 10_000n }));

test("a capture balances for any amount and any commission, in one currency, without an entry of 0", () => {
  fc.assert(fc.property(orders, rates, (order, rate) => {
    const { entries } = capturePosting(order, "stripe", rate);
    expect(entries.reduce((sum, entry) => sum + entry.amount_minor, 0n)).toBe(0n);
    expect(entries.every((entry) => entry.amount_minor !== 0n && entry.account.currency === order.currency)).toBe(true);
    expect(entries.length).toBeGreaterThanOrEqual(2);
  }));
});

test("the PSP owes us the whole, and seller and platform share it by the rate, to the nearest minor unit", () => {
  fc.assert(fc.property(orders, rates, (order, rate) => {
    const { entries } = capturePosting(order, "stripe", rate);
    const of = (code: string): bigint => entries.find((entry) => entry.account.code === code)?.amount_minor ?? 0n;
    expect(of("psp:stripe:clearing")).toBe(order.amount_minor);
    const commission = -of("platform:commission");
    expect(-of(`seller:${order.seller_account}:pending`)).toBe(order.amount_minor - commission);
    const doubledError = 2n * (commission * 10_000n - order.amount_minor * rate);
    expect(doubledError <= 10_000n && doubledError >= -10_000n).toBe(true);
  }));
});

test("without a commission the platform has no entry, with all of it the seller has none", () => {
  const order = { payment_order_id: "o", seller_account: "s", amount_minor: 100n, currency: "USD" };
  const codes = (rate: bigint): string[] => capturePosting(order, "stripe", rate).entries.map((entry) => entry.account.code);
  expect(codes(0n)).toEqual(["psp:stripe:clearing", "seller:s:pending"]);
  expect(codes(10_000n)).toEqual(["psp:stripe:clearing", "platform:commission"]);
});

test("the source names the order, so that one order is captured once", () => {
  fc.assert(fc.property(orders, orders, (one, other) => {
    expect(captureSource(one.payment_order_id) === captureSource(other.payment_order_id)).toBe(one.payment_order_id === other.payment_order_id);
    expect(capturePosting(one, "stripe", 5n).source).toBe(captureSource(one.payment_order_id));
  }));
});

test("the seller's money belongs to the seller and cannot fall below nothing", () => {
  const [, seller] = capturePosting({ payment_order_id: "o", seller_account: "seller_bob", amount_minor: 100n, currency: "USD" }, "stripe", 0n).entries;
  expect(seller?.account).toMatchObject({ owner_id: "seller_bob", kind: "liability", floor_minor: 0n });
});
