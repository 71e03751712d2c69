import { recordAudit, type Author } from "../audit/audit.ts";
import type { Timestamp, Transaction } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { reject, type ApprovalRow, type Requester } from "../approvals/approvals.ts";
import { decide, decideWaiting, isPayloadOf, type DeadLetterRow, type Jobs } from "../jobs/jobs.ts";
import {
  approveResolution,
  resolveAttempt,
  type Resolved,
  type ResolutionOptions,
} from "./attempt-resolution.ts";
import { assertNothingTaken, discardLetter, mayBeCharged } from "./discrepancies.ts";
import { reopenMessages } from "../webhooks/webhooks.ts";
import type { AttemptResolution, ModificationRow, OrderRow, Resolution } from "./model.ts";
import { resolveModification } from "./modification-resolution.ts";
import {
  hasOpenAttempt,
  redriveModification,
  requestCapture,
  requestVoids,
  type CaptureRequest,
} from "./modifications.ts";
import {
  lockOrder,
  lockOrdersOfCheckout,
  moveOrder,
  selectEvent,
  selectOrdersOfCheckouts,
} from "./queries.ts";
import { revokeStatusLink } from "./status-links.ts";

/**
 * What a person may do with an order. Each action locks the order and is audited, in the caller's
 * transaction.
 */
export type Actions = {
  /** `card_token`: another card than the checkout's. */
  retry(tx: Transaction, paymentOrderId: string, by: Author, card_token?: string): Promise<OrderRow>;
  /** Takes all or a part of an authorised order. */
  capture(
    tx: Transaction,
    paymentOrderId: string,
    request: CaptureRequest,
    by: Author,
  ): Promise<{ modification: ModificationRow; is_new: boolean }>;
  /** Takes down what a person saw at the PSP of a capture or void. */
  resolveModification(
    tx: Transaction,
    modificationId: string,
    resolution: Resolution,
    by: Author,
  ): Promise<{ modification: ModificationRow; is_new: boolean }>;
  /** Stores the resolution of an undecided attempt, or proposes it if another key must approve. */
  resolveAttempt(
    tx: Transaction,
    attemptId: string,
    resolution: AttemptResolution,
    by: Requester,
  ): Promise<Resolved>;
  /** Approves a proposal and carries it out. `content_hash` proves what the approver has read. */
  approve(
    tx: Transaction,
    approvalId: string,
    verdict: { content_hash: string; note: string | null; by: Requester },
  ): Promise<ApprovalRow>;
  reject(tx: Transaction, approvalId: string, verdict: { note: string; by: Requester }): Promise<ApprovalRow>;
  /** `is_under_way`: the PSP must give something up first. */
  cancel(
    tx: Transaction,
    paymentOrderId: string,
    by: Author,
  ): Promise<{ order: OrderRow; is_under_way: boolean }>;
  /** Every order of a checkout that can be canceled. */
  cancelCheckout(
    tx: Transaction,
    checkoutId: string,
    by: Author,
  ): Promise<{ orders: readonly OrderRow[]; is_under_way: boolean }>;
  review(
    tx: Transaction,
    checkoutId: string,
    decision: "approve" | "reject",
    by: Author,
  ): Promise<readonly OrderRow[]>;
  redrive(tx: Transaction, deadLetterId: string, by: Author, note: string | null): Promise<DeadLetterRow>;
  discard(tx: Transaction, deadLetterId: string, by: Author, note: string): Promise<DeadLetterRow>;
  /** Gives the time of the revocation. */
  revokeStatusLink(tx: Transaction, checkoutId: string, by: Author): Promise<Timestamp>;
};

export function createActions(
  jobs: Jobs,
  options: ResolutionOptions & { readonly retries_max: number },
): Actions {
  const execute = (tx: Transaction, orders: readonly OrderRow[]): Promise<void> =>
    jobs.enqueue(
      tx,
      "payment_execute",
      orders.map((order) => ({ data: { payment_order_id: order.payment_order_id } })),
    );

  return {
    /** A new attempt for a failed order. Errors: `not_found`, `state_conflict`. */
    async retry(tx, paymentOrderId, by, card_token) {
      const order = await lockKnownOrder(tx, paymentOrderId);
      if (order.status !== "FAILED")
        throw new AppError(
          "state_conflict",
          `Only a FAILED order can be retried; this one is ${order.status}.`,
        );
      if (order.retry_count >= options.retries_max) {
        throw new AppError(
          "state_conflict",
          `The order was retried ${order.retry_count} times already, the most allowed.`,
        );
      }
      if (card_token !== undefined && (await selectEvent(tx, order.checkout_id))?.credit_card_info === null) {
        throw new AppError("state_conflict", "This checkout is not paid with a card token.", {
          param: "card_token",
        });
      }
      await assertNothingTaken(tx, order);
      const moved = await moveOrder(tx, {
        payment_order_id: paymentOrderId,
        status: "EXECUTING",
        cause: "manual_retry",
        actor: by.actor,
        is_retry: true,
        ...(card_token === undefined ? {} : { card_token }),
      });
      await decideWaiting(
        tx,
        { queue: "payment_execute", subject_ids: [paymentOrderId] },
        { state: "redriven", actor: by.actor, note: "The order was retried." },
      );
      await recordAudit(tx, {
        ...by,
        action: "payment_order.retry",
        ...orderSubject(paymentOrderId),
        before: { status: order.status, retry_count: order.retry_count },
        after: {
          status: moved.status,
          retry_count: moved.retry_count,
          has_new_card: card_token !== undefined,
        },
        reason: null,
      });
      await execute(tx, [moved]);
      return moved;
    },

    /** Errors: `not_found`, and those of `requestCapture`. */
    async capture(tx, paymentOrderId, request, by) {
      const captured = await requestCapture(
        tx,
        { jobs },
        await lockKnownOrder(tx, paymentOrderId),
        request,
        by.actor,
      );
      if (captured.is_new) {
        const { modification_id, amount_minor, currency, is_final } = captured.modification;
        await recordAudit(tx, {
          ...by,
          action: "payment_order.capture",
          ...orderSubject(paymentOrderId),
          before: null,
          after: { modification_id, capture_id: request.capture_id, amount_minor, currency, is_final },
          reason: null,
        });
      }
      return captured;
    },

    resolveModification: (tx, modificationId, resolution, by) =>
      resolveModification(tx, jobs, modificationId, resolution, by),

    resolveAttempt: (tx, attemptId, resolution, by) => resolveAttempt(tx, options, attemptId, resolution, by),

    /**
     * One way to carry it out for each kind. Errors: those of the kind's own, and of `approve` in the
     * approvals room.
     */
    approve: (tx, approvalId, verdict) => approveResolution(tx, options, approvalId, verdict),

    reject,

    /** Ends an order: at once where no PSP works on it, else by having the PSP give it up. Errors: `not_found`, `state_conflict`. */
    async cancel(tx, paymentOrderId, by) {
      const order = await lockKnownOrder(tx, paymentOrderId);
      const isAtOnce = await isIdle(tx, order);
      if (!isAtOnce && !mayBeVoided(order)) throw cannotCancel(order);
      if (await sharesPage(tx, order)) {
        throw new AppError(
          "state_conflict",
          "The order is paid on one page with others: cancel the whole checkout.",
        );
      }
      const audit = (after: { status: string; is_under_way: boolean }): Promise<void> =>
        recordAudit(tx, {
          ...by,
          action: "payment_order.cancel",
          ...orderSubject(paymentOrderId),
          before: { status: order.status },
          after,
          reason: null,
        });
      if (isAtOnce) {
        const moved = await moveOrder(tx, {
          payment_order_id: paymentOrderId,
          status: "CANCELED",
          cause: "canceled",
          actor: by.actor,
        });
        await closeLetters(tx, [moved], by);
        await audit({ status: moved.status, is_under_way: false });
        return { order: moved, is_under_way: false };
      }
      if ((await requestVoids(tx, { jobs }, [order], by.actor)).length === 0) throw cannotCancel(order);
      await audit({ status: order.status, is_under_way: true });
      return { order, is_under_way: true };
    },

    /** Errors: `not_found`, `state_conflict` when no order of it can be canceled. */
    async cancelCheckout(tx, checkoutId, by) {
      const orders = await lockOrdersOfCheckout(tx, checkoutId);
      if (orders.length === 0)
        throw new AppError("not_found", `There is no checkout ${checkoutId}.`, { param: "checkout_id" });
      const moved: OrderRow[] = [];
      for (const order of orders) {
        if (await isIdle(tx, order))
          moved.push(
            await moveOrder(tx, {
              payment_order_id: order.payment_order_id,
              status: "CANCELED",
              cause: "canceled",
              actor: by.actor,
            }),
          );
      }
      await closeLetters(tx, moved, by);
      const attempts = await requestVoids(
        tx,
        { jobs },
        orders.filter(
          (order) =>
            mayBeVoided(order) && !moved.some((one) => one.payment_order_id === order.payment_order_id),
        ),
        by.actor,
        { skips_captures: true },
      );
      if (moved.length === 0 && attempts.length === 0)
        throw new AppError("state_conflict", "No order of this checkout can be canceled.");
      const after = await selectOrdersOfCheckouts(tx, [checkoutId]);
      await recordAudit(tx, {
        ...by,
        action: "checkout.cancel",
        ...checkoutSubject(checkoutId),
        before: { statuses: countStatuses(orders) },
        after: { statuses: countStatuses(after), is_under_way: attempts.length > 0 },
        reason: null,
      });
      return { orders: after, is_under_way: attempts.length > 0 };
    },

    /** Decides the orders of a checkout that the risk rules hold for review. Errors: `not_found`, `state_conflict`. */
    async review(tx, checkoutId, decision, by) {
      const orders = await lockOrdersOfCheckout(tx, checkoutId);
      if (orders.length === 0) throw new AppError("not_found", `There is no checkout ${checkoutId}.`);
      const held = orders.filter(
        (order) => order.status === "PENDING" && order.status_cause === "risk_review",
      );
      if (held.length === 0)
        throw new AppError("state_conflict", "No order of this checkout waits for a review.");
      const moved: OrderRow[] = [];
      for (const { payment_order_id } of held) {
        moved.push(
          await moveOrder(
            tx,
            decision === "approve"
              ? { payment_order_id, status: "EXECUTING", cause: "review_approved", actor: by.actor }
              : { payment_order_id, status: "CANCELED", cause: "review_rejected", actor: by.actor },
          ),
        );
      }
      await recordAudit(tx, {
        ...by,
        action: `checkout.${decision}`,
        ...checkoutSubject(checkoutId),
        before: { statuses: countStatuses(held) },
        after: { statuses: countStatuses(moved) },
        reason: null,
      });
      if (decision === "approve") await execute(tx, moved);
      return moved;
    },

    /** Takes given-up work up again: a failed order gets a new attempt, an unknown one and a modification are asked about. Errors: `not_found`, `state_conflict`. */
    async redrive(tx, deadLetterId, by, note) {
      const letter = await decide(tx, deadLetterId, { state: "redriven", by, note });
      if (letter.queue === "webhook_apply") {
        if (!isPayloadOf("webhook_apply", letter.payload)) {
          throw new AppError(
            "state_conflict",
            "The data of this job cannot be read: discard the dead letter.",
          );
        }
        await reopenMessages(tx, letter.payload.message_ids);
        await jobs.enqueue(tx, "webhook_apply", [{ data: letter.payload }]);
        return letter;
      }
      if (letter.queue === "payment_modify") {
        await redriveModification(tx, { jobs }, letter.subject_id, by.actor);
        return letter;
      }
      const order = await lockKnownOrder(tx, letter.subject_id);
      if (["SUCCESS", "AUTHORIZED", "CANCELED"].includes(order.status)) {
        throw new AppError(
          "state_conflict",
          `An order that is ${order.status} has nothing to be taken up again: look at the PSP, then discard the letter with what you did.`,
        );
      }
      // Otherwise the letter would be closed, and the next attempt begin, before anybody has looked.
      if (letter.kind === "discrepancy") throw mayBeCharged();
      if (order.status === "FAILED") {
        await assertNothingTaken(tx, order);
        await moveOrder(tx, {
          payment_order_id: order.payment_order_id,
          status: "EXECUTING",
          cause: "redrive",
          actor: by.actor,
          is_retry: true,
        });
      }
      await execute(tx, [order]);
      return letter;
    },

    discard: discardLetter,
    revokeStatusLink,
  };
}

async function lockKnownOrder(tx: Transaction, paymentOrderId: string): Promise<OrderRow> {
  const order = await lockOrder(tx, paymentOrderId);
  if (order === undefined) throw new AppError("not_found", `There is no payment order ${paymentOrderId}.`);
  return order;
}

const cannotCancel = ({ status }: OrderRow): AppError =>
  new AppError("state_conflict", `An order that is ${status} cannot be canceled.`);

/** A page charges the orders of its checkout together, now or after their review. */
async function sharesPage(tx: Transaction, { checkout_id, payment_order_id }: OrderRow): Promise<boolean> {
  if ((await selectEvent(tx, checkout_id))?.hosted_page === null) return false;
  const others = (await selectOrdersOfCheckouts(tx, [checkout_id])).filter(
    (other) => other.payment_order_id !== payment_order_id,
  );
  return others.some(({ status }) => status !== "SUCCESS" && status !== "CANCELED");
}

/** What was given up about an order that is canceled needs nobody any more. */
const closeLetters = (tx: Transaction, orders: readonly OrderRow[], { actor }: Author): Promise<void> =>
  decideWaiting(
    tx,
    { queue: "payment_execute", subject_ids: orders.map((order) => order.payment_order_id) },
    { state: "discarded", actor, note: "The order was canceled." },
  );

/** No PSP works on it. */
async function isIdle(tx: Transaction, order: OrderRow): Promise<boolean> {
  return (
    order.status === "NOT_STARTED" ||
    order.status === "RETRY_SCHEDULED" ||
    (order.status === "PENDING" && !(await hasOpenAttempt(tx, order)))
  );
}

const mayBeVoided = ({ status }: OrderRow): boolean => status === "AUTHORIZED" || status === "PENDING";

const orderSubject = (payment_order_id: string) => ({
  subject_type: "payment_order",
  subject_id: payment_order_id,
});
const checkoutSubject = (checkout_id: string) => ({ subject_type: "checkout", subject_id: checkout_id });

/** Counts orders by state: a list of a hundred orders with long ids would not fit into the audit log. */
function countStatuses(orders: readonly OrderRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of orders) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
