import type { Queryable, Timestamp } from "../db/db.ts";
import type { ApprovalId } from "../ids.ts";

/** The kinds of changes that can be approved; the database has the same list. */
export type ApprovalKind = "attempt_resolution";
export type ApprovalState = "open" | "approved" | "rejected" | "expired";

export type ApprovalRow = {
  readonly approval_id: ApprovalId;
  readonly kind: ApprovalKind;
  readonly subject_id: string;
  /** The JSON text that is executed, byte for byte. */
  readonly content: string;
  readonly content_hash: Buffer;
  readonly state: ApprovalState;
  readonly proposed_by: string;
  /** Null: proposed on the command line. */
  readonly proposer_key_id: string | null;
  readonly decided_by: string | null;
  readonly approver_key_id: string | null;
  readonly decision_note: string | null;
  readonly created_at: Timestamp;
  readonly expires_at: Timestamp;
  readonly decided_at: Timestamp | null;
};

const columns = `
  approval_id, kind, subject_id, content, content_hash, state, proposed_by, proposer_key_id, decided_by,
  approver_key_id, decision_note, created_at, expires_at, decided_at`;

type NewApproval = Pick<
  ApprovalRow,
  "approval_id" | "kind" | "subject_id" | "content" | "content_hash" | "proposed_by" | "proposer_key_id"
>;

/** Gives no row if another approval is open for the same subject. */
export async function insertApproval(
  tx: Queryable,
  draft: NewApproval,
  expiryHours: number,
  at: Date,
): Promise<ApprovalRow | undefined> {
  const [row] = await tx.query<ApprovalRow>(
    `insert into approvals
       (approval_id, kind, subject_id, content, content_hash, proposed_by, proposer_key_id,
        created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $9::timestamptz, $9::timestamptz + $8 * interval '1 hour')
     on conflict (kind, subject_id) where state = 'open' do nothing
     returning ${columns}`,
    [
      draft.approval_id,
      draft.kind,
      draft.subject_id,
      draft.content,
      draft.content_hash,
      draft.proposed_by,
      draft.proposer_key_id,
      expiryHours,
      at.toISOString(),
    ],
  );
  return row;
}

export async function selectOpenApproval(
  db: Queryable,
  kind: ApprovalKind,
  subjectId: string,
): Promise<ApprovalRow | undefined> {
  const [row] = await db.query<ApprovalRow>(
    `select ${columns} from approvals where kind = $1 and subject_id = $2 and state = 'open'`,
    [kind, subjectId],
  );
  return row;
}

/** Locks one approval for a decision about it. */
export async function lockApproval(tx: Queryable, approvalId: string): Promise<ApprovalRow | undefined> {
  const [row] = await tx.query<ApprovalRow>(
    `select ${columns} from approvals where approval_id = $1 for update`,
    [approvalId],
  );
  return row;
}

export async function selectApproval(db: Queryable, approvalId: string): Promise<ApprovalRow | undefined> {
  const [row] = await db.query<ApprovalRow>(`select ${columns} from approvals where approval_id = $1`, [
    approvalId,
  ]);
  return row;
}

export type Decision = {
  readonly state: "approved" | "rejected";
  readonly decided_by: string;
  readonly approver_key_id: string | null;
  readonly decision_note: string | null;
};

export async function decideOpenApproval(
  tx: Queryable,
  approvalId: string,
  decision: Decision,
  at: Date,
): Promise<ApprovalRow> {
  const [row] = await tx.query<ApprovalRow>(
    `update approvals set state = $2, decided_by = $3, approver_key_id = $4, decision_note = $5,
            decided_at = $6::timestamptz
      where approval_id = $1
     returning ${columns}`,
    [
      approvalId,
      decision.state,
      decision.decided_by,
      decision.approver_key_id,
      decision.decision_note,
      at.toISOString(),
    ],
  );
  if (row === undefined) throw new Error(`the approval ${approvalId} disappeared while locked`);
  return row;
}

/** Closes open approvals that have expired, of one subject or of all. Gives how many. */
export async function expireApprovals(
  tx: Queryable,
  subject: { kind: ApprovalKind; subject_id: string } | null,
  at: Date,
): Promise<number> {
  const rows = await tx.query(
    `update approvals set state = 'expired', decided_at = $3::timestamptz
      where state = 'open' and expires_at <= $3::timestamptz
        and ($1::text is null or (kind = $1 and subject_id = $2))
     returning approval_id`,
    [subject?.kind ?? null, subject?.subject_id ?? null, at.toISOString()],
  );
  return rows.length;
}

export type ApprovalFilter = {
  readonly kind?: string;
  readonly state?: string;
  readonly before?: { readonly created_at: Timestamp; readonly approval_id: string };
  readonly limit: number;
};

/** Newest first, paged by (created_at, approval_id). */
export function selectApprovals(db: Queryable, filter: ApprovalFilter): Promise<ApprovalRow[]> {
  return db.query<ApprovalRow>(
    `select ${columns}
       from approvals
      where ($1::text is null or kind = $1)
        and ($2::text is null or state = $2)
        and ($3::timestamptz is null or (created_at, approval_id) < ($3, $4::text))
      order by created_at desc, approval_id desc
      limit $5`,
    [
      filter.kind ?? null,
      filter.state ?? null,
      filter.before?.created_at ?? null,
      filter.before?.approval_id ?? null,
      filter.limit,
    ],
  );
}
