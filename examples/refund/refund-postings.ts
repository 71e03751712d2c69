import { chart, type AccountRef, type TransactionDraft } from "../../src/ledger/ledger.ts";
import { toCurrencyCode } from "../../src/money/money.ts";

export type BookedRefund = {
  readonly operation_id: string;
  readonly payment_order_id: string;
  readonly attempt_id: string | null;
  readonly seller_account: string;
  readonly psp: string;
  readonly currency: string;
  readonly amount_minor: bigint;
};

/** When it is asked for: the seller's money is set aside. The floor of `pending` decides whether there is enough. */
export const reservationPosting = (refund: BookedRefund): TransactionDraft =>
  move(refund, "reserved", pending(refund), reserved(refund));

/** When it was made: the PSP owes us that much less. */
export const refundPosting = (refund: BookedRefund): TransactionDraft =>
  move(refund, "", reserved(refund), chart.pspClearing(refund.psp, toCurrencyCode(refund.currency)));

/** When it certainly was not made: the seller has the money again. */
export const returnPosting = (refund: BookedRefund): TransactionDraft =>
  move(refund, "returned", reserved(refund), pending(refund));

/** The part names operation and step, so that each step of a refund is booked once. */
function move(
  { payment_order_id, operation_id, amount_minor }: BookedRefund,
  step: "reserved" | "" | "returned",
  debit: AccountRef,
  credit: AccountRef,
): TransactionDraft {
  return {
    kind: "refunded",
    subject_type: "order",
    subject_id: payment_order_id,
    part: step === "" ? operation_id : `${operation_id}:${step}`,
    entries: [
      { account: debit, amount_minor },
      { account: credit, amount_minor: -amount_minor },
    ],
  };
}

const pending = ({ seller_account, currency }: BookedRefund): AccountRef =>
  chart.sellerPending(seller_account, toCurrencyCode(currency));

const reserved = ({ seller_account, currency }: BookedRefund): AccountRef =>
  chart.sellerReserved(seller_account, toCurrencyCode(currency));
