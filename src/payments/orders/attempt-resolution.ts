import {
  approve,
  contentOf,
  proposeApproval,
  selectApproval,
  type ApprovalRow,
  type Requester,
} from "../../approvals/approvals.ts";
import { recordAudit } from "../../audit/audit.ts";
import type { Clock } from "../../clock.ts";
import { sqlStateOf, type Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { hasPrefix } from "../../ids.ts";
import { exponentOf, formatAmount, toCurrencyCode } from "../../money/money.ts";
import { assertLettersRead, closeLetters, type LockedAttempt } from "./attempt-letters.ts";
import { selectHolderOfReference, storeAttemptResolution } from "../store/attempt-resolution-queries.ts";
import { openAttemptStatuses, type AttemptResolution, type AttemptRow } from "../model/model.ts";
import { lockOrder, lockOrdersOfCheckout } from "../store/queries.ts";
import { selectAttemptsById } from "../store/attempt-queries.ts";

export type ResolutionOptions = {
  readonly clock: Clock;
  /** Above these amounts, in minor units by currency, another key must approve; null: always. */
  readonly approval_amounts: ReadonlyMap<string, bigint> | null;
  readonly approval_hours: number;
  /** How long claimed work belongs to its worker; a call to a PSP takes less than half of it. */
  readonly lease_seconds: number;
};

export type Resolved =
  | { readonly kind: "resolved"; readonly attempt: AttemptRow; readonly is_new: boolean }
  | { readonly kind: "proposed"; readonly approval: ApprovalRow; readonly is_new: boolean };

/** The limit in major units for currencies without their own. */
const approval_major_units = 1_000n;

const read_first = "Read them, then send their ids along in dead_letter_ids.";
const newer_than_proposal =
  "Read what is newer than the proposal, reject the proposal, and propose again with the ids.";

/**
 * Stores the outcome of an undecided attempt that a person saw at the PSP; a worker then records it. A large
 * one waits for another key's approval. The same resolution again changes nothing. Errors: `not_found`,
 * `invalid_request`, `resolution_amount_mismatch`, `state_conflict`.
 */
export async function resolveAttempt(
  tx: Transaction,
  options: ResolutionOptions,
  attemptId: string,
  resolution: AttemptResolution,
  by: Requester,
): Promise<Resolved> {
  const { attempt, orders } = await lockAttempt(tx, attemptId);
  if (attempt.resolved_as !== null) {
    return { kind: "resolved", attempt: repeated(attempt, resolution), is_new: false };
  }
  await assertResolvable(tx, attempt, resolution);
  const read = await assertLettersRead(tx, { attempt, orders }, resolution.dead_letter_ids, read_first);
  if (!needsApproval(attempt, options)) {
    const stored = await store(tx, options, { attempt, orders }, resolution, by, null);
    return { kind: "resolved", attempt: stored, is_new: true };
  }
  const { outcome, psp_reference, money, note } = resolution;
  const content = {
    outcome,
    psp_reference,
    amount_minor: money === null ? null : String(money.amount_minor),
    currency: money?.currency ?? null,
    note,
    dead_letter_ids: read.join(" ") || null,
  };
  const proposal = { kind: "attempt_resolution", subject_id: attemptId, content, reason: note } as const;
  const term = { expiry_hours: options.approval_hours, at: options.clock.now() };
  return { kind: "proposed", ...(await proposeApproval(tx, proposal, by, term)) };
}

/**
 * Approves a proposed resolution and stores it, in one transaction. Errors: those of `approve` and
 * `resolveAttempt`.
 */
export async function approveResolution(
  tx: Transaction,
  options: ResolutionOptions,
  approvalId: string,
  verdict: { readonly content_hash: string; readonly note: string | null; readonly by: Requester },
): Promise<ApprovalRow> {
  const known = await selectApproval(tx, approvalId);
  // Locks the orders first, as a proposal does; otherwise the two could deadlock.
  const locked = known === undefined ? null : await lockAttempt(tx, known.subject_id);
  return approve(tx, approvalId, { ...verdict, at: options.clock.now() }, async (approval) => {
    if (locked === null) throw new Error(`the approval ${approvalId} appeared while it was approved`);
    const resolution = resolutionIn(approval);
    const { resolved_as } = locked.attempt;
    if (resolved_as !== null) throw conflict(`The attempt is already resolved as ${resolved_as}.`);
    await assertResolvable(tx, locked.attempt, resolution);
    await assertLettersRead(tx, locked, resolution.dead_letter_ids, newer_than_proposal);
    await store(tx, options, locked, resolution, verdict.by, approval);
  });
}

async function lockAttempt(tx: Transaction, attemptId: string): Promise<LockedAttempt> {
  const [known] = await selectAttemptsById(tx, [attemptId]);
  if (known === undefined) {
    throw new AppError("not_found", `There is no attempt ${attemptId}.`, { param: "attempt_id" });
  }
  const { payment_order_id, checkout_id } = known;
  const orders =
    payment_order_id === null
      ? await lockOrdersOfCheckout(tx, checkout_id)
      : [await lockOrder(tx, payment_order_id)];
  const [attempt] = await selectAttemptsById(tx, [attemptId]);
  if (attempt === undefined) throw new Error(`the attempt ${attemptId} disappeared while locked`);
  return { attempt, orders: orders.filter((order) => order !== undefined) };
}

function repeated(attempt: AttemptRow, { outcome, psp_reference }: AttemptResolution): AttemptRow {
  // A resolution always has the attempt's own amount, so there is nothing to compare.
  if (attempt.resolved_as === outcome && attempt.resolution_reference === psp_reference) return attempt;
  const reference = attempt.resolution_reference ?? "none";
  throw conflict(
    `The attempt is already resolved as ${attempt.resolved_as} with the reference ${reference}.`,
  );
}

async function assertResolvable(
  tx: Transaction,
  attempt: AttemptRow,
  { outcome, psp_reference, money }: AttemptResolution,
): Promise<void> {
  if (!openAttemptStatuses.includes(attempt.status)) {
    throw conflict(`Only an undecided attempt can be resolved; this one is ${attempt.status}.`);
  }
  if (outcome === "failed") return;
  const fitting = attempt.capture_method === "manual" ? "authorized" : "succeeded";
  if (outcome !== fitting) {
    const method = attempt.capture_method;
    const message = `outcome must be ${fitting} or failed: the order's capture_method is ${method}.`;
    throw new AppError("invalid_request", message, { param: "outcome" });
  }
  if (psp_reference === null || money === null) {
    throw new Error(`an attempt cannot be resolved as ${outcome} without reference and amount`);
  }
  if (money.amount_minor !== attempt.amount_minor || money.currency !== attempt.currency) {
    const due = formatAmount({
      amount_minor: attempt.amount_minor,
      currency: toCurrencyCode(attempt.currency),
    });
    const message =
      `The attempt is for ${due} ${attempt.currency}, and only that amount can be booked. ` +
      "If the PSP charged another amount, refund it there and resolve the attempt as failed.";
    throw new AppError("resolution_amount_mismatch", message, { param: "amount" });
  }
  const other = await selectHolderOfReference(tx, attempt, psp_reference);
  if (other === undefined) return;
  const what = hasPrefix("op", other) ? "operation" : "attempt";
  throw referenceTaken(psp_reference, `the ${what} ${other}`);
}

function needsApproval(
  { amount_minor, currency }: AttemptRow,
  { approval_amounts }: ResolutionOptions,
): boolean {
  if (approval_amounts === null) return true;
  const exponent = exponentOf(toCurrencyCode(currency));
  return amount_minor > (approval_amounts.get(currency) ?? approval_major_units * 10n ** BigInt(exponent));
}

async function store(
  tx: Transaction,
  { lease_seconds }: ResolutionOptions,
  { attempt, orders }: LockedAttempt,
  resolution: AttemptResolution,
  by: Requester,
  approval: ApprovalRow | null,
): Promise<AttemptRow> {
  const { outcome, psp_reference, note } = resolution;
  const resolved_by = approval?.proposed_by ?? by.actor;
  // A worker that has claimed the attempt may still charge, so `failed` frees the order only when that is no
  // longer possible: the worker starts within half a lease, and may ask twice before it charges, each call
  // taking less than half a lease. No new call starts from now on.
  const request_seconds = outcome === "failed" ? 2 * lease_seconds : 0;
  const stored = await storeAttemptResolution(
    tx,
    {
      attempt_id: attempt.attempt_id,
      resolved_as: outcome,
      resolution_reference: psp_reference,
      resolution_note: note,
      resolved_by,
    },
    request_seconds,
  ).catch((error: unknown) => {
    // Another attempt was resolved with this reference at the same moment.
    throw sqlStateOf(error) === "23505" ? referenceTaken(psp_reference, "another attempt") : error;
  });
  const decided = `resolved as ${outcome}: ${note}`.slice(0, 500);
  await closeLetters(tx, { attempt, orders }, { actor: resolved_by, note: decided });
  await recordAudit(tx, {
    actor: by.actor,
    action: "payment_attempt.resolve",
    subject_type: "payment_attempt",
    subject_id: attempt.attempt_id,
    before: { status: attempt.status, psp_reference: attempt.psp_reference },
    after: {
      outcome,
      psp_reference,
      amount_minor: attempt.amount_minor,
      currency: attempt.currency,
      ...(approval === null ? {} : { approval_id: approval.approval_id, proposed_by: approval.proposed_by }),
    },
    reason: note,
    request_id: by.request_id,
  });
  return stored;
}

/** The resolution in the text of its approval. */
function resolutionIn(approval: ApprovalRow): AttemptResolution {
  const { outcome, psp_reference, amount_minor, currency, note, dead_letter_ids } = contentOf(approval);
  if (
    (outcome !== "succeeded" && outcome !== "authorized" && outcome !== "failed") ||
    typeof note !== "string"
  ) {
    throw new Error("an approved resolution without an outcome or a note");
  }
  const money =
    typeof amount_minor === "string" && typeof currency === "string"
      ? { amount_minor: BigInt(amount_minor), currency: toCurrencyCode(currency) }
      : null;
  const read = dead_letter_ids?.split(" ") ?? [];
  return { outcome, psp_reference: psp_reference ?? null, money, note, dead_letter_ids: read };
}

const conflict = (message: string): AppError => new AppError("state_conflict", message);

const referenceTaken = (psp_reference: string | null, owner: string): AppError =>
  new AppError("state_conflict", `The reference ${psp_reference} belongs to ${owner}.`, {
    param: "psp_reference",
  });
