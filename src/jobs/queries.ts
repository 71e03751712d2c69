import { textArray, type Queryable, type Timestamp } from "../db/db.ts";

/**
 * `work`: a job failed for good. `reversal`: booked money never arrived. `discrepancy`: a PSP reports money
 * that differs from the books; the order is not charged again until a person has handled it.
 */
export type LetterKind = "work" | "reversal" | "discrepancy";

export type DeadLetterRow = {
  readonly dead_letter_id: string;
  readonly queue: string;
  readonly subject_id: string;
  readonly kind: LetterKind;
  readonly payload: Record<string, unknown>;
  readonly reason: string;
  readonly attempt_count: number;
  readonly state: "waiting" | "redriven" | "discarded";
  readonly decided_by: string | null;
  readonly decision_note: string | null;
  readonly created_at: Timestamp;
  readonly decided_at: Timestamp | null;
};

const columns = `dead_letter_id, queue, subject_id, kind, payload, reason, attempt_count, state, decided_by,
  decision_note, created_at, decided_at`;

type NewDeadLetter = Pick<
  DeadLetterRow,
  "dead_letter_id" | "queue" | "subject_id" | "kind" | "payload" | "reason" | "attempt_count"
>;

export async function insertDeadLetters(tx: Queryable, rows: readonly NewDeadLetter[]): Promise<void> {
  await tx.query(
    `insert into dead_letters (dead_letter_id, queue, subject_id, kind, payload, reason, attempt_count)
     select dead_letter_id, queue, subject_id, kind, payload, reason, attempt_count
       from json_to_recordset($1::json)
            as d (dead_letter_id text, queue text, subject_id text, kind text, payload jsonb, reason text,
                  attempt_count integer)
     on conflict (queue, subject_id, (case kind when 'work' then '' else md5(reason) end))
       where state = 'waiting' do nothing`,
    [JSON.stringify(rows)],
  );
}

export async function selectDeadLetter(
  db: Queryable,
  deadLetterId: string,
): Promise<DeadLetterRow | undefined> {
  const [row] = await db.query<DeadLetterRow>(
    `select ${columns} from dead_letters where dead_letter_id = $1`,
    [deadLetterId],
  );
  return row;
}

/** Newest first, keyset on (created_at, id). */
export function selectDeadLetters(
  db: Queryable,
  filter: { state?: string; queue?: string; before?: { created_at: Timestamp; id: string }; limit: number },
): Promise<DeadLetterRow[]> {
  return db.query<DeadLetterRow>(
    `select ${columns}
       from dead_letters
      where ($1::text is null or state = $1)
        and ($2::text is null or queue = $2)
        and ($3::timestamptz is null or (created_at, dead_letter_id) < ($3, $4::text))
      order by created_at desc, dead_letter_id desc
      limit $5`,
    [
      filter.state ?? null,
      filter.queue ?? null,
      filter.before?.created_at ?? null,
      filter.before?.id ?? null,
      filter.limit,
    ],
  );
}

/** Subjects of dead letters in one queue, and the attempt that a person has looked up at the PSP. */
export type LetterSubjects = {
  readonly queue: string;
  readonly subject_ids: readonly string[];
  readonly attempt_id?: string;
};

/**
 * A person's action elsewhere closes these. Discrepancies stay open, except those about the attempt that was
 * looked up.
 */
const isAnswered = `queue = $1 and subject_id = any ($2::text[]) and state = 'waiting'
        and (kind <> 'discrepancy' or payload ->> 'attempt_id' = $3)`;
const answeredBy = ({ queue, subject_ids, attempt_id }: LetterSubjects): unknown[] => [
  queue,
  textArray(subject_ids),
  attempt_id ?? null,
];

/** Closes the waiting dead letters that a person's action elsewhere has answered. */
export async function decideWaiting(
  tx: Queryable,
  subjects: LetterSubjects,
  { state, actor, note }: { state: "redriven" | "discarded"; actor: string; note: string },
): Promise<void> {
  await tx.query(
    `update dead_letters set state = $4, decided_by = $5, decision_note = $6, decided_at = now()
      where ${isAnswered}`,
    [...answeredBy(subjects), state, actor, note],
  );
}

/** Those that `decideWaiting` would decide. */
export function selectAnswered(
  db: Queryable,
  subjects: LetterSubjects,
): Promise<Pick<DeadLetterRow, "dead_letter_id" | "kind">[]> {
  return db.query(
    `select dead_letter_id, kind from dead_letters where ${isAnswered} order by dead_letter_id`,
    answeredBy(subjects),
  );
}

/** Whether a discrepancy of one of these subjects waits for a person. */
export async function hasDiscrepancy(
  db: Queryable,
  queue: string,
  subjectIds: readonly string[],
): Promise<boolean> {
  const rows = await db.query(
    `select 1 from dead_letters
      where queue = $1 and subject_id = any ($2::text[]) and state = 'waiting' and kind = 'discrepancy'
      limit 1`,
    [queue, textArray(subjectIds)],
  );
  return rows.length > 0;
}

/** Gives no row when it does not wait any more. */
export async function decideDeadLetter(
  tx: Queryable,
  deadLetterId: string,
  decision: { state: "redriven" | "discarded"; actor: string; note: string | null },
): Promise<DeadLetterRow | undefined> {
  const [row] = await tx.query<DeadLetterRow>(
    `update dead_letters
        set state = $2, decided_by = $3, decision_note = $4, decided_at = now()
      where dead_letter_id = $1 and state = 'waiting'
     returning ${columns}`,
    [deadLetterId, decision.state, decision.actor, decision.note],
  );
  return row;
}
