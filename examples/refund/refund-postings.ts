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
  move(refund, "refund_reserved", pending(refund), reserved(refund));

/** When it was made: the PSP owes us that much less. */
export const refundPosting = (refund: BookedRefund): TransactionDraft =>
  move(refund, "refunded", reserved(refund), chart.pspClearing(refund.psp, toCurrencyCode(refund.currency)));

/** When it certainly was not made: the seller has the money again. */
export const returnPosting = (refund: BookedRefund): TransactionDraft =>
  move(refund, "refund_returned", reserved(refund), pending(refund));

/** The source names order and operation, so that each step of a refund is booked once. */
function move(
  { payment_order_id, operation_id, amount_minor }: BookedRefund,
  step: string,
  debit: AccountRef,
  credit: AccountRef,
): TransactionDraft {
  return {
    source: `order:${payment_order_id}:${step}:${operation_id}`,
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
