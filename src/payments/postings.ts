import { chart, type TransactionDraft } from "../ledger/ledger.ts";
import { shareInBasisPoints, toCurrencyCode, type Money } from "../money/money.ts";

type CapturedOrder = {
  readonly payment_order_id: string;
  readonly seller_account: string;
  readonly amount_minor: bigint;
  readonly currency: string;
};

/** What the PSP owes us for a captured order goes to the seller, less the platform's commission. */
export function capturePosting(order: CapturedOrder, psp: string, commission_basis_points: bigint): TransactionDraft {
  const gross: Money = { amount_minor: order.amount_minor, currency: toCurrencyCode(order.currency) };
  const { currency } = gross;
  const commission = shareInBasisPoints(gross, commission_basis_points).amount_minor;
  return {
    source: captureSource(order.payment_order_id),
    entries: [
      { account: chart.pspClearing(psp, currency), amount_minor: gross.amount_minor },
      { account: chart.sellerPending(order.seller_account, currency), amount_minor: commission - gross.amount_minor },
      { account: chart.platformCommission(currency), amount_minor: -commission },
    ].filter((entry) => entry.amount_minor !== 0n),
  };
}

/** The ledger's name for the capture of an order; the same order can never be captured twice. */
export const captureSource = (paymentOrderId: string): string => `order:${paymentOrderId}:captured`;
