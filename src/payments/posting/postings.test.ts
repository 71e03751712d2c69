import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transactionKey } from "../../ledger/ledger.ts";
import { amount_minor_max } from "../../money/money.ts";
import { capturePosting as posting, captureName, postingsOf, undoneCaptures } from "./postings.ts";

const orders = fc.record({
  payment_order_id: fc.string({ minLength: 1, maxLength: 255 }),
  seller_account: fc.string({ minLength: 1, maxLength: 255 }),
  amount_minor: fc.oneof(fc.bigInt({ min: 1n, max: 20n }), fc.bigInt({ min: 1n, max: amount_minor_max })),
  currency: fc.constantFrom("USD", "JPY", "BHD"),
});
type Order = { payment_order_id: string; seller_account: string; amount_minor: bigint; currency: string };

/** An order that is captured at once. */
const capturePosting = (order: Order, psp: string, rate: bigint) =>
  posting(
    { ...order, psp, captured_minor: 0n, operation_id: null, failed_capture_count: 0 },
    order.amount_minor,
    rate,
  );

const namedOf = ({ payment_order_id }: Order) => ({
  payment_order_id,
  operation_id: null,
  failed_capture_count: 0,
});

const rates = fc.oneof(fc.constantFrom(0n, 1n, 10_000n), fc.bigInt({ min: 0n, max: 10_000n }));

test("a capture balances for any amount and any commission, in one currency, without an entry of 0", () => {
  fc.assert(
    fc.property(orders, rates, (order, rate) => {
      const { entries } = capturePosting(order, "stripe", rate);
      expect(entries.reduce((sum, entry) => sum + entry.amount_minor, 0n)).toBe(0n);
      expect(
        entries.every((entry) => entry.amount_minor !== 0n && entry.account.currency === order.currency),
      ).toBe(true);
      expect(entries.length).toBeGreaterThanOrEqual(2);
    }),
  );
});

test("the PSP owes us the whole, and seller and platform share it by the rate, to the nearest minor unit", () => {
  fc.assert(
    fc.property(orders, rates, (order, rate) => {
      const { entries } = capturePosting(order, "stripe", rate);
      const of = (code: string): bigint =>
        entries.find((entry) => entry.account.code === code)?.amount_minor ?? 0n;
      expect(of("psp:stripe:clearing")).toBe(order.amount_minor);
      const commission = -of("platform:commission");
      expect(-of(`seller:${order.seller_account}:pending`)).toBe(order.amount_minor - commission);
      const doubledError = 2n * (commission * 10_000n - order.amount_minor * rate);
      expect(doubledError <= 10_000n && doubledError >= -10_000n).toBe(true);
    }),
  );
});

test("without a commission the platform has no entry, with all of it the seller has none", () => {
  const order = { payment_order_id: "o", seller_account: "s", amount_minor: 100n, currency: "USD" };
  const codes = (rate: bigint): string[] =>
    capturePosting(order, "stripe", rate).entries.map((entry) => entry.account.code);
  expect(codes(0n)).toEqual(["psp:stripe:clearing", "seller:s:pending"]);
  expect(codes(10_000n)).toEqual(["psp:stripe:clearing", "platform:commission"]);
});

test("the name is of the order, so that one order is captured once", () => {
  fc.assert(
    fc.property(orders, orders, (one, other) => {
      const [name, nameOfOther] = [captureName(namedOf(one)), captureName(namedOf(other))];
      expect(transactionKey(name) === transactionKey(nameOfOther)).toBe(
        one.payment_order_id === other.payment_order_id,
      );
      expect(capturePosting(one, "stripe", 5n)).toMatchObject(name);
    }),
  );
});

test("what an order does after its capture failed has names of its own", () => {
  const order = { payment_order_id: "o", operation_id: null, failed_capture_count: 0 };
  const captured = (part: string) => ({ kind: "captured", subject_type: "order", subject_id: "o", part });
  expect([0, 1, 2].map((failed_capture_count) => captureName({ ...order, failed_capture_count }))).toEqual(
    ["", "2", "3"].map(captured),
  );
  const again = { ...order, failed_capture_count: 1 };
  expect(undoneCaptures(again, { undoes_minor: 5n, operation: null })).toEqual([captured("2")]);
  const authorized = { ...order, operation_id: "op_1" };
  expect(undoneCaptures(authorized, { undoes_minor: 5n, operation: {} })).toEqual([captured("op_1")]);
  expect(undoneCaptures(order, { undoes_minor: 0n, operation: null })).toEqual([]);
});

test("the seller's money belongs to the seller and cannot fall below nothing", () => {
  const [, seller] = capturePosting(
    { payment_order_id: "o", seller_account: "seller_bob", amount_minor: 100n, currency: "USD" },
    "stripe",
    0n,
  ).entries;
  expect(seller?.account).toMatchObject({ owner_id: "seller_bob", kind: "liability", floor_minor: 0n });
});

describe("an authorisation", () => {
  /** Captures of an amount in so many parts, and what is left of it. */
  const cuts = fc
    .tuple(orders, rates, fc.array(fc.bigInt({ min: 1n, max: 1_000n }), { minLength: 1, maxLength: 6 }))
    .map(([order, rate, weights]) => {
      const sum = weights.reduce((total, weight) => total + weight, 0n);
      return {
        order,
        rate,
        parts: weights
          .map((weight) => (order.amount_minor * weight) / (sum + 1n))
          .filter((part) => part > 0n),
      };
    });

  const bookedOf = ({ order, rate, parts }: { order: Order; rate: bigint; parts: readonly bigint[] }) => {
    const facts = {
      ...order,
      psp: "stripe",
      captured_minor: 0n,
      operation_id: null,
      failed_capture_count: 0,
    };
    let captured_minor = 0n;
    const captures = parts.flatMap((captures_minor, index) => {
      const made = postingsOf(
        { ...facts, captured_minor, operation_id: `op_${index}` },
        { authorizes_minor: 0n, captures_minor, releases_minor: 0n, undoes_minor: 0n },
        rate,
      );
      captured_minor += captures_minor;
      return made;
    });
    return [
      ...postingsOf(
        facts,
        { authorizes_minor: order.amount_minor, captures_minor: 0n, releases_minor: 0n, undoes_minor: 0n },
        rate,
      ),
      ...captures,
      ...postingsOf(
        facts,
        {
          authorizes_minor: 0n,
          captures_minor: 0n,
          releases_minor: order.amount_minor - captured_minor,
          undoes_minor: 0n,
        },
        rate,
      ),
    ];
  };

  test("is held by two accounts that mirror each other, and nothing of it is left there when captures and release are booked", () => {
    fc.assert(
      fc.property(cuts, (cut) => {
        const entries = bookedOf(cut).flatMap((transaction) => transaction.entries);
        for (const code of ["psp:stripe:authorized", "authorizations"]) {
          expect(
            entries
              .filter(({ account }) => account.code === code)
              .reduce((sum, entry) => sum + entry.amount_minor, 0n),
          ).toBe(0n);
        }
        expect(entries.every((entry) => entry.amount_minor !== 0n)).toBe(true);
      }),
    );
  });

  test("captured in any parts bears the commission of their sum, to the minor unit", () => {
    fc.assert(
      fc.property(cuts, (cut) => {
        const amount_minor = cut.parts.reduce((sum, part) => sum + part, 0n);
        fc.pre(amount_minor > 0n);
        const of = (transactions: ReturnType<typeof bookedOf>, code: string): bigint =>
          transactions
            .flatMap(({ entries }) => entries)
            .filter(({ account }) => account.code === code)
            .reduce((sum, entry) => sum + entry.amount_minor, 0n);
        const inParts = bookedOf(cut);
        const atOnce = [capturePosting({ ...cut.order, amount_minor }, "stripe", cut.rate)];
        for (const code of [
          "psp:stripe:clearing",
          "platform:commission",
          `seller:${cut.order.seller_account}:pending`,
        ])
          expect(of(inParts, code)).toBe(of(atOnce, code));
      }),
    );
  });

  test("and each of its captures is booked once, by a name of its own", () => {
    fc.assert(
      fc.property(cuts, (cut) => {
        const names = bookedOf(cut).map(transactionKey);
        expect(new Set(names).size).toBe(names.length);
      }),
    );
  });
});
