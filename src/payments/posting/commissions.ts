import { shareInBasisPoints, toCurrencyCode } from "../../money/money.ts";
import type { CommissionedCapture, NewCommission } from "../store/commission-queries.ts";

type CommissionedOrder = {
  readonly payment_order_id: string;
  readonly currency: string;
  /** What was captured before. */
  readonly captured_minor: bigint;
  /** Null: it was captured at once, as a whole. */
  readonly operation_id: string | null;
  readonly failed_capture_count: number;
  readonly commission_rule: string;
  readonly commission_basis_points: bigint;
};

/** The one part of a commission today. */
const component = "platform";

/** The commission of several captures is that of their sum, to the minor unit: each bears the difference. */
export function commissionOfCapture(
  { captured_minor, currency }: Pick<CommissionedOrder, "captured_minor" | "currency">,
  amount_minor: bigint,
  commission_basis_points: bigint,
): bigint {
  const code = toCurrencyCode(currency);
  const commissionOf = (sum_minor: bigint): bigint =>
    shareInBasisPoints({ amount_minor: sum_minor, currency: code }, commission_basis_points).amount_minor;
  return commissionOf(captured_minor + amount_minor) - commissionOf(captured_minor);
}

/** The rows of a capture's commission; none if it is 0, as the ledger has no entry of it. */
export function commissionsOf(order: CommissionedOrder, captures_minor: bigint): NewCommission[] {
  if (captures_minor === 0n) return [];
  const { commission_rule, commission_basis_points, currency } = order;
  const amount_minor = commissionOfCapture(order, captures_minor, commission_basis_points);
  if (amount_minor === 0n) return [];
  return [
    {
      ...commissionedCapture(order),
      component,
      rule: commission_rule,
      basis_points: String(commission_basis_points),
      amount_minor: String(amount_minor),
      currency,
    },
  ];
}

/** The captures whose commissions a decision takes back. */
export function undoneCommissions(
  order: CommissionedCapture,
  { undoes_minor, operation }: { readonly undoes_minor: bigint; readonly operation: unknown },
): CommissionedCapture[] {
  if (undoes_minor === 0n) return [];
  return [commissionedCapture({ ...order, operation_id: operation === null ? null : order.operation_id })];
}

/** A capture as its commissions name it, in the parts of the name that the ledger has for it. */
const commissionedCapture = ({
  payment_order_id,
  operation_id,
  failed_capture_count,
}: CommissionedCapture): CommissionedCapture => ({
  payment_order_id,
  operation_id,
  failed_capture_count: operation_id === null ? failed_capture_count : 0,
});
