import type { Queryable, Timestamp } from "../db/db.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A change that a person or an API key made. */
export type NewAudit = {
  /** `key:<key_id>` or `cli:<user>`. */
  readonly actor: string;
  /** `<subject>.<verb>`, such as `payment_order.cancel`. */
  readonly action: string;
  readonly subject_type: string;
  readonly subject_id: string;
  /** The fields that the change concerns, never secrets or card data; null where there was nothing. */
  readonly before: Fields | null;
  readonly after: Fields | null;
  /** The reason that the person gave; null if none was asked for. */
  readonly reason: string | null;
  /** Null for the command line. */
  readonly request_id: string | null;
};

export type AuditRow = NewAudit & { readonly audit_id: bigint; readonly occurred_at: Timestamp };

export async function insertAudits(tx: Queryable, audits: readonly NewAudit[]): Promise<void> {
  await tx.query(
    `insert into audit_log (actor, action, subject_type, subject_id, before, after, reason, request_id)
     select actor, action, subject_type, subject_id,
            nullif(before, 'null'::jsonb), nullif(after, 'null'::jsonb), reason, request_id
       from json_to_recordset($1::json)
            as a (actor text, action text, subject_type text, subject_id text, before jsonb, after jsonb,
                  reason text, request_id text)`,
    [JSON.stringify(audits, (_name, value: unknown) => (typeof value === "bigint" ? String(value) : value))],
  );
}

export type AuditFilter = {
  readonly actor?: string;
  readonly action?: string;
  readonly subject?: { readonly type: string; readonly id: string };
  readonly occurred_from?: Timestamp;
  readonly occurred_until?: Timestamp;
  readonly before?: { readonly occurred_at: Timestamp; readonly audit_id: bigint };
  readonly limit: number;
};

/** Newest first, keyset on (occurred_at, audit_id). */
export function selectAudits(db: Queryable, filter: AuditFilter): Promise<AuditRow[]> {
  return db.query<AuditRow>(
    `select audit_id, occurred_at, actor, action, subject_type, subject_id, before, after, reason, request_id
       from audit_log
      where ($1::text is null or actor = $1)
        and ($2::text is null or action = $2)
        and ($3::text is null or (subject_type = $3 and subject_id = $4))
        and ($5::timestamptz is null or occurred_at >= $5)
        and ($6::timestamptz is null or occurred_at < $6)
        and ($7::timestamptz is null or (occurred_at, audit_id) < ($7, $8::bigint))
      order by occurred_at desc, audit_id desc
      limit $9`,
    [
      filter.actor ?? null,
      filter.action ?? null,
      filter.subject?.type ?? null,
      filter.subject?.id ?? null,
      filter.occurred_from ?? null,
      filter.occurred_until ?? null,
      filter.before?.occurred_at ?? null,
      filter.before?.audit_id ?? null,
      filter.limit,
    ],
  );
}
