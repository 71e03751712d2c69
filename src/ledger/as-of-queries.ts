import type { Database, Queryable, Timestamp } from "../db/db.ts";

type AccountKey = { readonly code: string; readonly currency: string };

/** A balance as of a time, and what makes it final. */
export type BalanceAsOf = {
  readonly balance_minor: bigint;
  /** The time of the tick that answers, which is the last one before the time asked for. */
  readonly booked_at: Timestamp | null;
  /** Entries from before the tick that answers have left. */
  readonly is_detached: boolean;
};

/**
 * The balance that had been booked at the last tick before `at`. It is final if a tick after `at` is there
 * (`ensureTickAfter`): no transaction that commits later changes it. Undefined: no such account.
 */
export async function selectBookedBalance(
  db: Queryable,
  account: AccountKey,
  at: Timestamp,
): Promise<BalanceAsOf | undefined> {
  const [row] = await db.query<BalanceAsOf>(
    `select case when k.tick is null then 0
                 when h.tick > k.tick then 0
                 else ledger_balance_after(a.account_id, ledger_version_at_tick(a.account_id, k))
            end as balance_minor,
            k.taken_at as booked_at, coalesce(h.tick > k.tick, false) as is_detached
       from ledger_accounts a
       cross join ledger_tick_before($3) k
       cross join (select max(p.detached_tick) as tick from ledger_entry_partitions p) h
      where a.code = $1 and a.currency = $2`,
    [account.code, account.currency, at],
  );
  return row;
}

/** The versions of an account that were booked after one time and not after another. */
export type BookedVersions = {
  readonly after_version: bigint;
  readonly last_version: bigint;
  readonly is_detached: boolean;
};

/** Null for `from`: from the first entry. Null for `until`: to the last one. Undefined: no such account. */
export async function selectBookedVersions(
  db: Queryable,
  account: AccountKey,
  from: Timestamp | null,
  until: Timestamp | null,
): Promise<BookedVersions | undefined> {
  const [row] = await db.query<BookedVersions>(
    `select case when $3::timestamptz is null or f.tick is null then 0
                 when h.tick > f.tick then 0
                 else ledger_version_at_tick(a.account_id, f) end as after_version,
            case when $4::timestamptz is null then a.version
                 when u.tick is null or h.tick > u.tick then 0
                 else ledger_version_at_tick(a.account_id, u) end as last_version,
            h.tick is not null and (coalesce(h.tick > f.tick, true)
                                    or $4::timestamptz is not null and coalesce(h.tick > u.tick, true))
              as is_detached
       from ledger_accounts a
       cross join ledger_tick_before($3) f
       cross join ledger_tick_before($4) u
       cross join (select max(p.detached_tick) as tick from ledger_entry_partitions p) h
      where a.code = $1 and a.currency = $2`,
    [account.code, account.currency, from, until],
  );
  return row;
}

/**
 * Makes what was booked before `at` final: a tick never comes before one that is there already. Gives false
 * if the database's clock has not reached that time.
 */
export async function ensureTickAfter(database: Database, at: Timestamp): Promise<boolean> {
  if (await isTickAfter(database, at)) return true;
  await database.transaction((tx) => tx.query("select take_tick($1)", [true]));
  return isTickAfter(database, at);
}

async function isTickAfter(db: Queryable, at: Timestamp): Promise<boolean> {
  const [last] = await db.query<{ is_after: boolean }>(
    "select taken_at > $1 as is_after from ticks order by tick desc limit 1",
    [at],
  );
  return last?.is_after === true;
}
