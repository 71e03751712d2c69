import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { newId } from "../../ids.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { formatAmount, toCurrencyCode } from "../../money/money.ts";
import { openAttemptStatuses, type AttemptRow, type OperationRow, type OrderRow } from "../model/model.ts";
import {
  insertOperation,
  insertVoids,
  selectOperations,
  selectOperationsById,
} from "../store/operation-queries.ts";
import { postponeOperations } from "../store/operation-turn-queries.ts";
import { selectAttempts } from "../store/queries.ts";

/** A capture as the HTTP door hands it over. */
export type CaptureRequest = {
  /** The client's name of it, unique within the order for ever. */
  readonly capture_id: string;
  readonly fingerprint: Buffer;
  /** Null: all that is left. */
  readonly amount_minor: bigint | null;
  /** What is left after it is released. */
  readonly is_final: boolean;
};

type Parts = { readonly jobs: Jobs };

/**
 * Requests a capture of a locked order. Captures in flight count, so that concurrent ones never take more
 * than was authorised. Errors: `capture_id_reused`, `capture_exceeds_authorization`, `state_conflict`.
 */
export async function requestCapture(
  tx: Transaction,
  { jobs }: Parts,
  order: OrderRow,
  request: CaptureRequest,
  actor: string,
): Promise<{ operation: OperationRow; is_new: boolean }> {
  const operations = await selectOperations(tx, order.payment_order_id);
  const before = operations.find((operation) => operation.capture_id === request.capture_id);
  if (before !== undefined) return { operation: repeated(before, request), is_new: false };
  if (order.status !== "AUTHORIZED")
    throw new AppError(
      "state_conflict",
      `Only an AUTHORIZED order can be captured; this one is ${order.status}.`,
    );
  if (operations.some((one) => isOpen(one) && one.is_final)) {
    throw new AppError(
      "state_conflict",
      "The order's final capture, or the release of its authorisation, is in progress.",
      { retry_after_seconds: 1 },
    );
  }
  const rest_minor = order.amount_minor - order.captured_minor - order.capturing_minor;
  const amount_minor = request.amount_minor ?? rest_minor;
  if (amount_minor > rest_minor || rest_minor === 0n) {
    const shown = (minor: bigint): string =>
      formatAmount({ amount_minor: minor, currency: toCurrencyCode(order.currency) });
    const inFlight = order.capturing_minor > 0n ? `, ${shown(order.capturing_minor)} is being captured` : "";
    const message =
      `Of ${shown(order.amount_minor)} ${order.currency}, ${shown(order.captured_minor)} is captured` +
      `${inFlight}; ${shown(rest_minor)} is left.`;
    throw new AppError("capture_exceeds_authorization", message, { param: "amount" });
  }
  const { attempt_id } = await authorizedAttempt(tx, order);
  const operation = await insertOperation(tx, {
    operation_id: newId("op"),
    attempt_id,
    payment_order_id: order.payment_order_id,
    kind: "capture",
    capture_id: request.capture_id,
    request_fingerprint: request.fingerprint,
    amount_minor,
    currency: order.currency,
    is_final: request.is_final,
    created_by: actor,
  });
  await jobs.enqueue(tx, "operation_execute", [{ data: { operation_id: operation.operation_id } }]);
  return { operation, is_new: true };
}

function repeated(before: OperationRow, { capture_id, fingerprint }: CaptureRequest): OperationRow {
  if (before.request_fingerprint?.equals(fingerprint) === true) return before;
  throw new AppError(
    "capture_id_reused",
    `The capture_id ${capture_id} was used before with different content.`,
    { param: "capture_id" },
  );
}

/**
 * Has the PSP give up what locked orders of one checkout still hold there: authorisations, payments that wait
 * for their buyer, a page. Gives the attempts concerned; none: there is nothing to give up. Errors:
 * `state_conflict` while a capture is under way, unless such orders are to be left alone.
 */
export async function requestVoids(
  tx: Transaction,
  { jobs }: Parts,
  orders: readonly OrderRow[],
  actor: string,
  options: { readonly skips_captures: boolean } = { skips_captures: false },
): Promise<readonly AttemptRow[]> {
  const attempts: AttemptRow[] = [];
  for (const order of orders) {
    const live = (await selectAttempts(tx, order.payment_order_id)).find(
      (attempt) => attempt.status === "authorized" || attempt.status === "pending",
    );
    if (live === undefined || attempts.some((attempt) => attempt.attempt_id === live.attempt_id)) continue;
    const operations = await selectOperations(tx, order.payment_order_id);
    if (operations.some((one) => isOpen(one) && one.kind === "capture")) {
      if (options.skips_captures) continue;
      throw new AppError("state_conflict", "A capture of this order is in progress.", {
        retry_after_seconds: 1,
      });
    }
    attempts.push(live);
  }
  const voids = await insertVoids(
    tx,
    attempts.map(({ attempt_id }) => ({
      operation_id: newId("op"),
      attempt_id,
      void_cause: "canceled",
      created_by: actor,
    })),
  );
  await jobs.enqueue(
    tx,
    "operation_execute",
    voids.map((operation_id) => ({ data: { operation_id } })),
  );
  return attempts;
}

/**
 * Redrives an operation: the PSP is asked about an open one, and a failed void is started again. Errors:
 * `state_conflict`.
 */
export async function redriveOperation(
  tx: Transaction,
  { jobs }: Parts,
  operationId: string,
  actor: string,
): Promise<void> {
  const [operation] = await selectOperationsById(tx, [operationId]);
  if (operation === undefined) throw new AppError("not_found", `There is no operation ${operationId}.`);
  const { attempt_id, kind, status, void_cause } = operation;
  if (isOpen(operation)) {
    await postponeOperations(tx, [{ operation_id: operationId, seconds: 0 }]);
    return jobs.enqueue(tx, "operation_execute", [{ data: { operation_id: operationId } }]);
  }
  if (status === "succeeded") throw new AppError("state_conflict", `The ${kind} was made.`);
  if (void_cause === null || attempt_id === null) {
    const another = kind === "capture" ? "send another capture with a new capture_id" : "request another one";
    throw new AppError("state_conflict", `The ${kind} has failed: ${another}.`);
  }
  const voids = await insertVoids(tx, [
    { operation_id: newId("op"), attempt_id, void_cause, created_by: actor },
  ]);
  await jobs.enqueue(
    tx,
    "operation_execute",
    voids.map((operation_id) => ({ data: { operation_id } })),
  );
}

const isOpen = ({ status }: OperationRow): boolean => status !== "succeeded" && status !== "failed";

async function authorizedAttempt(tx: Transaction, { payment_order_id }: OrderRow): Promise<AttemptRow> {
  const attempt = (await selectAttempts(tx, payment_order_id)).find(({ status }) => status === "authorized");
  if (attempt === undefined)
    throw new Error(`the order ${payment_order_id} is AUTHORIZED without an authorised attempt`);
  return attempt;
}

/** Whether a PSP is working on the order, or may be. */
export async function hasOpenAttempt(tx: Transaction, { payment_order_id }: OrderRow): Promise<boolean> {
  return (await selectAttempts(tx, payment_order_id)).some(({ status }) =>
    openAttemptStatuses.includes(status),
  );
}
