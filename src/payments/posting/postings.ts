import { chart, type EntryDraft, type TransactionDraft, type TransactionName } from "../../ledger/ledger.ts";
import { toCurrencyCode, type CurrencyCode } from "../../money/money.ts";
import { commissionOfCapture } from "./commissions.ts";

type BookedOrder = {
  readonly payment_order_id: string;
  readonly seller_account: string;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly psp: string;
  /** What was captured before. */
  readonly captured_minor: bigint;
  /** Null: it was captured at once, as a whole. */
  readonly operation_id: string | null;
  /** How often its payment failed after it was booked; numbers the parts of later transactions. */
  readonly failed_capture_count: number;
};

type Booking = {
  readonly authorizes_minor: bigint;
  readonly captures_minor: bigint;
  readonly releases_minor: bigint;
  readonly undoes_minor: bigint;
};

/** The ledger transactions of a decision about an order. */
export function postingsOf(
  order: BookedOrder,
  booking: Booking,
  commission_basis_points: bigint,
): TransactionDraft[] {
  const { authorizes_minor, captures_minor, releases_minor, undoes_minor } = booking;
  return [
    ...(authorizes_minor > 0n ? [authorizationPosting(order, authorizes_minor)] : []),
    ...(captures_minor > 0n ? [capturePosting(order, captures_minor, commission_basis_points)] : []),
    ...(releases_minor > 0n ? [releasePosting(order, releases_minor, undoes_minor > 0n)] : []),
  ];
}

/**
 * What a PSP holds for us of a buyer's money is nobody's yet: two memorandum accounts that mirror each other.
 */
function authorizationPosting(order: BookedOrder, amount_minor: bigint): TransactionDraft {
  return { ...ofOrder(order, "authorized", again(order)), entries: heldEntries(order, amount_minor) };
}

/**
 * What was authorised and will not be captured; of a capture that failed after the rest was released, a part
 * of its own.
 */
function releasePosting(
  order: BookedOrder,
  amount_minor: bigint,
  is_undone_capture: boolean,
): TransactionDraft {
  const part = is_undone_capture ? String(order.operation_id) : again(order);
  return { ...ofOrder(order, "released", part), entries: heldEntries(order, -amount_minor) };
}

/**
 * What the PSP owes us for a capture goes to the seller, less the platform's commission. All captures of an
 * order take the rate that was fixed when it was accepted, and together bear the commission of their sum. A
 * capture of an authorisation takes as much off it.
 */
export function capturePosting(
  order: BookedOrder,
  amount_minor: bigint,
  commission_basis_points: bigint,
): TransactionDraft {
  const currency = toCurrencyCode(order.currency);
  const commission = commissionOfCapture(order, amount_minor, commission_basis_points);
  return {
    ...captureName(order),
    entries: [
      { account: chart.pspClearing(order.psp, currency), amount_minor },
      {
        account: chart.sellerPending(order.seller_account, currency),
        amount_minor: commission - amount_minor,
      },
      { account: chart.platformCommission(currency), amount_minor: -commission },
      ...(order.operation_id === null ? [] : heldEntries(order, -amount_minor)),
    ].filter((entry) => entry.amount_minor !== 0n),
  };
}

function heldEntries({ psp, currency }: BookedOrder, amount_minor: bigint): EntryDraft[] {
  const code: CurrencyCode = toCurrencyCode(currency);
  return [
    { account: chart.pspAuthorized(psp, code), amount_minor },
    { account: chart.authorizations(code), amount_minor: -amount_minor },
  ];
}

type NamedOrder = Pick<BookedOrder, "payment_order_id" | "operation_id" | "failed_capture_count">;

const ofOrder = (
  { payment_order_id }: Pick<BookedOrder, "payment_order_id">,
  kind: TransactionName["kind"],
  part: string,
): TransactionName => ({ kind, subject_type: "order", subject_id: payment_order_id, part });

/**
 * The ledger's name for a capture: an order that is captured at once has one, an authorised one has one for
 * each of its captures.
 */
export const captureName = (order: NamedOrder): TransactionName =>
  ofOrder(order, "captured", order.operation_id ?? again(order));

/** The captures that a decision reverses. */
export function undoneCaptures(
  order: NamedOrder,
  { undoes_minor, operation }: { readonly undoes_minor: bigint; readonly operation: unknown },
): TransactionName[] {
  if (undoes_minor === 0n) return [];
  return [captureName({ ...order, operation_id: operation === null ? null : order.operation_id })];
}

/** A name is one transaction's for ever, so transactions after a failed capture are numbered. */
const again = ({ failed_capture_count }: Pick<BookedOrder, "failed_capture_count">): string =>
  failed_capture_count === 0 ? "" : String(failed_capture_count + 1);
