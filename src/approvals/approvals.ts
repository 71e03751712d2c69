/** The door of the approvals room: changes that one key proposes and another one approves or rejects. */
import { hash } from "node:crypto";
import { recordAudit, type Author } from "../audit/audit.ts";
import type { Clock } from "../clock.ts";
import type { Database, Transaction } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { newId } from "../ids.ts";
import { WorkLoop } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import {
  decideOpenApproval,
  expireApprovals,
  insertApproval,
  lockApproval,
  selectOpenApproval,
  type ApprovalKind,
  type ApprovalRow,
} from "./queries.ts";

export { selectApproval, selectApprovals } from "./queries.ts";
export type { ApprovalFilter, ApprovalKind, ApprovalRow, ApprovalState } from "./queries.ts";

/** The requester of a change, and the request. Only the command line has no key. */
export type Requester = Author & { readonly key_id: string | null };

export type Proposal = {
  readonly kind: ApprovalKind;
  readonly subject_id: string;
  /** The change to execute. The same fields in the same order give the same text and hash. */
  readonly content: Readonly<Record<string, string | null>>;
  readonly reason: string;
};

/**
 * Proposes a change that another key must approve within `expiry_hours` from `at`, the business time.
 * Repeating a proposal gives the open one. Errors: `state_conflict`.
 */
export async function proposeApproval(
  tx: Transaction,
  { kind, subject_id, content: fields, reason }: Proposal,
  by: Requester,
  { expiry_hours, at }: { readonly expiry_hours: number; readonly at: Date },
): Promise<{ approval: ApprovalRow; is_new: boolean }> {
  const content = JSON.stringify(fields);
  const content_hash = hash("sha256", content, "buffer");
  await expireApprovals(tx, { kind, subject_id }, at);
  const approval_id = newId("appr");
  const inserted = await insertApproval(
    tx,
    {
      approval_id,
      kind,
      subject_id,
      content,
      content_hash,
      proposed_by: by.actor,
      proposer_key_id: by.key_id,
    },
    expiry_hours,
    at,
  );
  if (inserted !== undefined) {
    await recordAudit(tx, {
      actor: by.actor,
      action: "approval.propose",
      subject_type: "approval",
      subject_id: approval_id,
      before: null,
      after: { kind, subject_id, content: fields },
      reason,
      request_id: by.request_id,
    });
    return { approval: inserted, is_new: true };
  }
  const open = await selectOpenApproval(tx, kind, subject_id);
  if (open === undefined) throw new Error(`neither a new nor an open approval of ${kind} ${subject_id}`);
  if (open.content_hash.equals(content_hash)) return { approval: open, is_new: false };
  throw new AppError(
    "state_conflict",
    `Another proposal for the same object is open (${open.approval_id}): approve or reject that one first.`,
  );
}

/** `at`: the business time of the decision. */
type Verdict = { readonly note: string | null; readonly by: Requester; readonly at: Date };

/**
 * Approves and executes in the caller's transaction, so that both happen or neither does. `content_hash`
 * proves what the approver has read. Errors: `not_found`, `state_conflict`, `approval_needs_another_key`, and
 * those of `execute`.
 */
export async function approve(
  tx: Transaction,
  approvalId: string,
  { note, by, at, content_hash }: Verdict & { readonly content_hash: string },
  execute: (approval: ApprovalRow) => Promise<void>,
): Promise<ApprovalRow> {
  const approval = await lockOpen(tx, approvalId);
  if (by.key_id === null || by.key_id === approval.proposer_key_id) {
    const message = "The key that proposed a change cannot approve it: use another API key.";
    throw new AppError("approval_needs_another_key", message);
  }
  if (Date.parse(approval.expires_at) <= at.getTime())
    throw new AppError("state_conflict", "The approval has expired: propose the change again.");
  const executed_hash = hash("sha256", approval.content, "buffer");
  if (!executed_hash.equals(approval.content_hash)) {
    throw new Error(`the content of ${approvalId} is not what was proposed`);
  }
  if (executed_hash.toString("hex") !== content_hash) {
    const message = "content_hash is not the hash of this approval's content: read the approval again.";
    throw new AppError("state_conflict", message, { param: "content_hash" });
  }
  const decision = {
    state: "approved",
    decided_by: by.actor,
    approver_key_id: by.key_id,
    decision_note: note,
  } as const;
  const decided = await decideOpenApproval(tx, approvalId, decision, at);
  await recordDecision(tx, decided, { note, by, at });
  await execute(decided);
  return decided;
}

/**
 * Ends a proposal without any effect; the proposer may do this too. Errors: `not_found`, `state_conflict`.
 */
export async function reject(tx: Transaction, approvalId: string, verdict: Verdict): Promise<ApprovalRow> {
  await lockOpen(tx, approvalId);
  const decision = {
    state: "rejected",
    decided_by: verdict.by.actor,
    approver_key_id: null,
    decision_note: verdict.note,
  } as const;
  const decided = await decideOpenApproval(tx, approvalId, decision, verdict.at);
  await recordDecision(tx, decided, verdict);
  return decided;
}

async function lockOpen(tx: Transaction, approvalId: string): Promise<ApprovalRow> {
  const approval = await lockApproval(tx, approvalId);
  if (approval === undefined) {
    throw new AppError("not_found", `There is no approval ${approvalId}.`, { param: "approval_id" });
  }
  if (approval.state !== "open")
    throw new AppError("state_conflict", `The approval is already ${approval.state}.`);
  return approval;
}

async function recordDecision(
  tx: Transaction,
  { approval_id, state, content_hash }: ApprovalRow,
  { note, by }: Verdict,
): Promise<void> {
  await recordAudit(tx, {
    actor: by.actor,
    action: state === "approved" ? "approval.approve" : "approval.reject",
    subject_type: "approval",
    subject_id: approval_id,
    before: { state: "open" },
    after: { state, content_hash: content_hash.toString("hex") },
    reason: note,
    request_id: by.request_id,
  });
}

/** The change that an approval stores as text. */
export function contentOf({
  approval_id,
  content,
}: Pick<ApprovalRow, "approval_id" | "content">): Proposal["content"] {
  const parsed: unknown = JSON.parse(content);
  if (!isContent(parsed))
    throw new Error(`the approval ${approval_id} has content that is not an object of strings`);
  return parsed;
}

function isContent(value: unknown): value is Proposal["content"] {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((field) => field === null || typeof field === "string")
  );
}

/** Closes proposals that nobody decided in time. */
export function createApprovalExpiry({
  database,
  clock,
  log,
}: {
  database: Database;
  clock: Clock;
  log: Logger;
}): WorkLoop {
  return new WorkLoop({
    name: "approval_expiry",
    log,
    idle_poll_ms: 60_000,
    run: async () => {
      await database.transaction((tx) => expireApprovals(tx, null, clock.now()));
      return 0;
    },
  });
}
