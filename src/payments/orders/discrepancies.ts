import type { Author } from "../../audit/audit.ts";
import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { decideLetter, hasDiscrepancy, selectDeadLetter, type DeadLetterRow } from "../../jobs/jobs.ts";
import { amount_mismatch, openAttemptStatuses, type OrderRow } from "../model/model.ts";
import { hasOpenAttempt } from "./operation-requests.ts";
import {
  failOrders,
  lockOrder,
  lockOrdersOfCheckout,
  selectCheckout,
  selectOrdersOfCheckouts,
} from "../store/queries.ts";
import { selectAttemptsById } from "../store/attempt-queries.ts";

/** Errors: `state_conflict` if a PSP may have taken money for the order that nobody has dealt with. */
export async function assertNothingTaken(
  tx: Transaction,
  { payment_order_id, checkout_id }: OrderRow,
): Promise<void> {
  const orders = (await isOnPage(tx, checkout_id))
    ? await selectOrdersOfCheckouts(tx, [checkout_id])
    : [{ payment_order_id }];
  if (await isReported(tx, orders)) throw mayBeCharged();
}

export const mayBeCharged = (): AppError =>
  new AppError(
    "state_conflict",
    "A dead letter says that the PSP may have taken money for this order. Check the PSP, refund " +
      "what was taken, then discard the dead letter and note what you did.",
  );

/**
 * Closes a dead letter. Once an order's last discrepancy is closed, an order whose next attempt waited only
 * for that ends as failed: only a person may charge its buyer again. Errors: `not_found`, `state_conflict`.
 */
export async function discardLetter(
  tx: Transaction,
  deadLetterId: string,
  by: Author,
  note: string,
): Promise<DeadLetterRow> {
  const known = await selectDeadLetter(tx, deadLetterId);
  // Locked before the letter is changed, as the recorder does; otherwise the two could deadlock.
  const orders = known?.kind === "discrepancy" ? await lockChargedTogether(tx, known.subject_id) : [];
  if (known?.kind === "discrepancy") await assertAnswered(tx, known);
  const letter = await decideLetter(tx, deadLetterId, { state: "discarded", by, note });
  if (orders.length === 0 || (await isReported(tx, orders))) return letter;
  const stopped: string[] = [];
  for (const order of orders) {
    const isStopped = order.status === "RETRY_SCHEDULED" || order.status === "EXECUTING";
    if (isStopped && !(await hasOpenAttempt(tx, order))) stopped.push(order.payment_order_id);
  }
  const message = "The PSP reported money that is not booked here; a person has dealt with it.";
  await failOrders(tx, stopped, { cause: "discrepancy", actor: by.actor, message });
  return letter;
}

/**
 * Errors if only this letter says that somebody must look at an attempt of which a wrong amount was taken.
 */
async function assertAnswered(tx: Transaction, letter: DeadLetterRow): Promise<void> {
  const { attempt_id } = letter.payload;
  if (letter.state !== "waiting" || typeof attempt_id !== "string") return;
  const [attempt] = await selectAttemptsById(tx, [attempt_id]);
  if (attempt === undefined || attempt.resolved_as !== null) return;
  if (!openAttemptStatuses.includes(attempt.status) || attempt.failure_code !== amount_mismatch) return;
  throw new AppError(
    "state_conflict",
    `The PSP reports another amount for the attempt ${attempt.attempt_id}, which is still undecided. ` +
      "Refund it there, then resolve the attempt as failed: that closes this letter.",
  );
}

/** The order, and if it is paid on a page the other orders of its checkout. */
async function lockChargedTogether(tx: Transaction, paymentOrderId: string): Promise<readonly OrderRow[]> {
  const order = await lockOrder(tx, paymentOrderId);
  if (order === undefined) return [];
  return (await isOnPage(tx, order.checkout_id)) ? lockOrdersOfCheckout(tx, order.checkout_id) : [order];
}

const isReported = (
  tx: Transaction,
  orders: readonly { readonly payment_order_id: string }[],
): Promise<boolean> =>
  hasDiscrepancy(
    tx,
    "payment_execute",
    orders.map(({ payment_order_id }) => payment_order_id),
  );

async function isOnPage(tx: Transaction, checkoutId: string): Promise<boolean> {
  const event = await selectCheckout(tx, checkoutId);
  return event !== undefined && event.hosted_page !== null;
}
