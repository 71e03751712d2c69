import fc from "fast-check";
import { expect, test } from "vitest";
import { amount_minor_max, shareInBasisPoints, toCurrencyCode } from "../../money/money.ts";
import { commissionsOf, undoneCommissions } from "./commissions.ts";
import { postingsOf } from "./postings.ts";

const order = {
  payment_order_id: "o",
  seller_account: "s",
  psp: "stripe",
  currency: "USD",
  captured_minor: 0n,
  operation_id: null,
  failed_capture_count: 0,
  commission_rule: "default",
  commission_basis_points: 250n,
};

/** An order's rate and the amounts of its captures; their sum is an amount that an order may have. */
const captures = fc.record({
  commission_basis_points: fc.oneof(
    fc.constantFrom(0n, 1n, 250n, 10_000n),
    fc.bigInt({ min: 0n, max: 10_000n }),
  ),
  parts: fc.array(
    fc.oneof(fc.bigInt({ min: 1n, max: 50n }), fc.bigInt({ min: 1n, max: amount_minor_max / 8n })),
    { minLength: 1, maxLength: 8 },
  ),
});

test("the commissions of any captures are that of their sum at the order's rate, each as the ledger credits it", () => {
  fc.assert(
    fc.property(captures, ({ commission_basis_points, parts }) => {
      let captured_minor = 0n;
      let sum = 0n;
      for (const [index, amount_minor] of parts.entries()) {
        const facts = {
          ...order,
          amount_minor,
          captured_minor,
          operation_id: `op_${index}`,
          commission_basis_points,
        };
        const booking = { authorizes_minor: 0n, captures_minor: amount_minor, releases_minor: 0n };
        const [posting] = postingsOf(facts, { ...booking, undoes_minor: 0n }, commission_basis_points);
        const credited = posting?.entries.find(({ account }) => account.code === "platform:commission");
        const rows = commissionsOf(facts, amount_minor);
        expect(rows.map((row) => -BigInt(row.amount_minor))).toEqual(
          credited === undefined ? [] : [credited.amount_minor],
        );
        for (const row of rows) {
          expect(row).toMatchObject({ rule: "default", basis_points: String(commission_basis_points) });
          expect(BigInt(row.amount_minor) > 0n).toBe(true);
          sum += BigInt(row.amount_minor);
        }
        captured_minor += amount_minor;
      }
      const money = { amount_minor: captured_minor, currency: toCurrencyCode("USD") };
      expect(sum).toBe(shareInBasisPoints(money, commission_basis_points).amount_minor);
    }),
  );
});

test("a capture at once is numbered by those that failed before it, one of an authorisation by its operation", () => {
  const [atOnce] = commissionsOf({ ...order, failed_capture_count: 2 }, 100n);
  expect(atOnce).toEqual({
    payment_order_id: "o",
    operation_id: null,
    failed_capture_count: 2,
    component: "platform",
    rule: "default",
    basis_points: "250",
    amount_minor: "3",
    currency: "USD",
  });
  const part = { ...order, operation_id: "op_1", failed_capture_count: 2 };
  expect(commissionsOf(part, 100n)).toEqual([{ ...atOnce, operation_id: "op_1", failed_capture_count: 0 }]);
});

test("a decision takes back the commissions of the capture that it undoes, and of no other", () => {
  const row = { payment_order_id: "o", operation_id: "op_1", failed_capture_count: 1 };
  expect(undoneCommissions(row, { undoes_minor: 5n, operation: {} })).toEqual([
    { payment_order_id: "o", operation_id: "op_1", failed_capture_count: 0 },
  ]);
  expect(undoneCommissions(row, { undoes_minor: 5n, operation: null })).toEqual([
    { payment_order_id: "o", operation_id: null, failed_capture_count: 1 },
  ]);
  expect(undoneCommissions(row, { undoes_minor: 0n, operation: {} })).toEqual([]);
});
