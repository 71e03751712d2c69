import type { Queryable } from "../db/db.ts";

/** Takes a tick if anything was written since the last one. */
export async function takeTick(db: Queryable): Promise<void> {
  await db.query("select take_tick(false)");
}

/** Makes the next closing and gives its number; null: there is no newer tick with a transaction. */
export async function addClosing(db: Queryable): Promise<bigint | null> {
  const [row] = await db.query<{ closing_id: bigint | null }>("select ledger_add_closing() as closing_id");
  return row?.closing_id ?? null;
}

/** Whether so many transactions, or so many seconds, lie between the last closing and the newest tick. */
export async function isClosingDue(
  db: Queryable,
  transactions_min: number,
  seconds_max: number,
): Promise<boolean> {
  const [row] = await db.query<{ is_due: boolean }>(
    `select n.last_transaction_id - coalesce(f.last_transaction_id, 0) >= $1::bigint
              or n.taken_at - coalesce(f.taken_at, b.taken_at) >= $2::float8 * interval '1 second' as is_due
       from (select * from ticks where is_lasting order by taken_at desc limit 1) n
       cross join (select * from ticks where is_lasting order by taken_at limit 1) b
       left join (
         select k.* from ledger_closings c join ticks k on k.tick = c.tick order by c.closing_id desc limit 1
       ) f on true`,
    [transactions_min, seconds_max],
  );
  return row?.is_due === true;
}

/** The ledger transactions that one tick has and an earlier one has not. */
export type Slice = {
  /** The earlier tick's; 0: from the beginning. */
  readonly former_closing_id: bigint;
  /** Null: all that is not closed. */
  readonly closing_id: bigint | null;
  readonly former_first_open_xid: bigint;
  readonly former_next_xid: bigint;
  /** Lists of numbers as PostgreSQL writes them. */
  readonly former_open_xids: string;
  readonly first_open_xid: bigint;
  readonly next_xid: bigint;
  readonly open_xids: string;
  /** All of its transactions have ids between these. */
  readonly first_transaction_id: bigint;
  readonly last_transaction_id: bigint;
  /** All of the events between the same ticks have numbers above the one and up to the other. */
  readonly settled_event_number: bigint;
  readonly last_event_number: bigint;
  /** Some of its entries are in a partition that is no longer part of the database. */
  readonly is_archived: boolean;
};

/** The slices between closings after one of them (0: all). */
export function selectClosedSlices(db: Queryable, after_closing_id: bigint): Promise<Slice[]> {
  return db.query<Slice>(
    `select c.closing_id - 1 as former_closing_id, c.closing_id,
            coalesce(f.first_open_xid, 0) as former_first_open_xid,
            coalesce(f.next_xid, 0) as former_next_xid, coalesce(f.open_xids, '{}')::text as former_open_xids,
            k.first_open_xid, k.next_xid, k.open_xids::text as open_xids,
            c.first_transaction_id, c.last_transaction_id,
            coalesce(f.settled_event_number, 0) as settled_event_number, k.last_event_number,
            exists (
              select from ledger_entry_partitions p
               where p.detached_at is not null and p.from_transaction_id <= c.last_transaction_id
                 and p.until_transaction_id > c.first_transaction_id
            ) as is_archived
       from ledger_closings c
       join ticks k on k.tick = c.tick
       left join ledger_closings d on d.closing_id = c.closing_id - 1
       left join ticks f on f.tick = d.tick
      where c.closing_id > $1
      order by c.closing_id`,
    [after_closing_id],
  );
}

/** All that a closing has not (0: everything), in the snapshot of this transaction. */
export async function selectTail(db: Queryable, closing_id: bigint): Promise<Slice> {
  const [row] = await db.query<Slice>(
    `with former as (
       select coalesce(max(k.first_open_xid), 0) as first_open_xid, coalesce(max(k.next_xid), 0) as next_xid,
              coalesce(max(k.open_xids), '{}') as open_xids,
              coalesce(max(k.settled_transaction_id), 0) as settled_transaction_id,
              coalesce(max(k.settled_event_number), 0) as settled_event_number
         from ledger_closings c
         join ticks k on k.tick = c.tick
        where c.closing_id = $1
     )
     select $1::bigint as former_closing_id, null::bigint as closing_id,
            f.first_open_xid as former_first_open_xid, f.next_xid as former_next_xid,
            f.open_xids::text as former_open_xids,
            9223372036854775807 as first_open_xid, 9223372036854775807 as next_xid, '{}' as open_xids,
            coalesce(min(t.transaction_id), 1) as first_transaction_id,
            coalesce(max(t.transaction_id), 0) as last_transaction_id,
            f.settled_event_number, 9223372036854775807 as last_event_number, false as is_archived
       from former f
       left join ledger_transactions t
         on t.transaction_id > f.settled_transaction_id
        and not is_in_tick(t.xid, f.first_open_xid, f.next_xid, f.open_xids)
      group by f.first_open_xid, f.next_xid, f.open_xids, f.settled_event_number`,
    [closing_id],
  );
  if (row === undefined) throw new Error("the end of the ledger gave no row");
  return row;
}

/** The parameters of a statement about a slice that begins with `slicedTransactions`. */
export const sliceParameters = (slice: Slice): readonly unknown[] => [
  slice.former_closing_id,
  slice.former_first_open_xid,
  slice.former_next_xid,
  slice.former_open_xids,
  slice.first_open_xid,
  slice.next_xid,
  slice.open_xids,
  slice.first_transaction_id,
  slice.last_transaction_id,
];

/**
 * Which rows with an `xid` belong to a slice. The driver sends the parameters' values with the statement, so
 * that it is planned for as many rows as there are.
 */
export const isInSlice = `is_in_tick(xid, $5::bigint, $6::bigint, $7::bigint[])
     and not is_in_tick(xid, $2::bigint, $3::bigint, $4::bigint[])`;

/** The start of a statement about a slice: its transactions, and their entries. */
export const slicedTransactions = `transactions as materialized (
       select transaction_id, kind, subject_type, subject_id, part, effective_at, reverses_transaction_id
         from ledger_transactions
        where ${isInSlice} and transaction_id between $8::bigint and $9::bigint
     ), entries as materialized (
       select e.account_id, e.account_version, e.transaction_id, e.amount_minor, e.balance_after_minor,
              e.effective_at is distinct from t.effective_at as is_moved
         from transactions t
         join ledger_entries e on e.transaction_id = t.transaction_id
        where e.transaction_id between $8::bigint and $9::bigint
     ), touched as materialized (
       -- Each account's state at the closing before.
       select a.account_id, coalesce(b.version, 0) as version, coalesce(b.balance_minor, 0) as balance_minor
         from (select distinct account_id from entries) a
         left join lateral (
           select version, balance_minor
             from ledger_closing_balances c
            where c.account_id = a.account_id and c.closing_id <= $1::bigint
            order by c.closing_id desc
            limit 1
         ) b on true
     )`;
