import type { Queryable, Timestamp, Transaction } from "../db/db.ts";

/** What happened, as it is stored: amounts are digits in minor units. */
export type EventRow = {
  readonly event_number: bigint;
  readonly occurred_at: Timestamp;
  readonly type: string;
  readonly version: number;
  readonly subject_type: string;
  readonly subject_id: string;
  readonly seller_account: string | null;
  readonly checkout_id: string | null;
  readonly data: Readonly<Record<string, string | number | null>>;
};

/**
 * Where a reader stands: all that `after_tick` has is read, and of the piece until `until_tick` what has a
 * number up to `event_number`.
 */
export type EventCursor = {
  readonly after_tick: bigint;
  /** Null: no piece is begun. */
  readonly until_tick: bigint | null;
  readonly event_number: bigint;
};

export type EventFilter = {
  readonly type?: string;
  readonly subject?: { readonly type: string; readonly id: string };
};

type Position = {
  readonly after_tick: bigint;
  readonly until_tick: bigint | null;
  readonly event_number: bigint;
  readonly is_expired: boolean;
};

/** Where a reader goes on: in its piece, in the next one, or (with `until_tick` null) nowhere yet. */
export async function selectPosition(db: Queryable, cursor: EventCursor | null): Promise<Position> {
  const [position] = await db.query<Position>(
    "select after_tick, until_tick, event_number, is_expired from event_position($1, $2, $3)",
    [cursor?.after_tick ?? null, cursor?.until_tick ?? null, cursor?.event_number ?? 0n],
  );
  if (position === undefined) throw new Error("event_position gave no row");
  return position;
}

/** The next events of a piece, in order. */
export function selectPiece(
  db: Queryable,
  after_tick: bigint,
  until_tick: bigint,
  event_number: bigint,
  limit: number,
  filter: EventFilter,
): Promise<EventRow[]> {
  return db.query<EventRow>(
    `select event_number, occurred_at, type, version, subject_type, subject_id, seller_account,
            checkout_id, data
       from read_events($1, $2, $3, $4, $5, $6, $7)`,
    [
      after_tick,
      until_tick,
      event_number,
      limit,
      filter.type ?? null,
      filter.subject?.type ?? null,
      filter.subject?.id ?? null,
    ],
  );
}

export async function selectEvent(db: Queryable, event_number: bigint): Promise<EventRow | undefined> {
  const [event] = await db.query<EventRow>(
    `select event_number, occurred_at, type, version, subject_type, subject_id, seller_account,
            checkout_id, data
       from event_log
      where event_number = $1
        and occurred_at >= coalesce((select max(until_at) from event_removals), '-infinity')`,
    [event_number],
  );
  return event;
}

/** Locks where a follower stands until the end of the transaction; undefined: another process has it. */
export async function lockFollower(tx: Transaction, name: string): Promise<EventCursor | undefined> {
  const [cursor] = await tx.query<EventCursor>(
    `select after_tick, until_tick, event_number
       from event_followers
      where name = $1
        for update skip locked`,
    [name],
  );
  return cursor;
}

/** A new follower begins where `start` is. Does nothing if it is known. */
export async function addFollower(db: Queryable, name: string, start: Position): Promise<void> {
  await db.query(
    `insert into event_followers (name, after_tick, event_number) values ($1, $2, 0) on conflict do nothing`,
    [name, start.after_tick],
  );
}

export async function moveFollower(
  tx: Transaction,
  name: string,
  { after_tick, until_tick, event_number }: EventCursor,
): Promise<void> {
  await tx.query(
    `update event_followers
        set after_tick = $2, until_tick = $3, event_number = $4, updated_at = clock_timestamp()
      where name = $1`,
    [name, after_tick, until_tick, event_number],
  );
}

/** The tick that was taken; null: none was due. */
export async function takeTick(db: Queryable, interval_ms: number): Promise<bigint | null> {
  const [taken] = await db.query<{ tick: bigint | null }>("select tick from take_tick_if_due($1) as tick", [
    interval_ms,
  ]);
  return taken?.tick ?? null;
}

/** Takes a tick whether or not something is new. */
export async function takeTickNow(db: Queryable): Promise<void> {
  await db.query("select take_tick(true)");
}

/** How many partitions were made. */
export async function addPartitions(db: Queryable, weeks: number): Promise<number> {
  const [added] = await db.query<{ count: number }>("select events_add_partitions($1) as count", [weeks]);
  return added?.count ?? 0;
}

/** How many partitions were dropped. */
export async function dropPartitions(db: Queryable, days: number): Promise<number> {
  const [dropped] = await db.query<{ count: number }>("select events_drop_partitions($1) as count", [days]);
  return dropped?.count ?? 0;
}

export async function pruneTicks(db: Queryable, days: number): Promise<void> {
  await db.query("select prune_ticks($1)", [days]);
}
