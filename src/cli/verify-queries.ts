import type { Queryable, Transaction } from "../db/db.ts";
import type { Check } from "../ledger/ledger.ts";

/** Shows this transaction one state of the database for as long as it takes, and refuses it to write. */
export async function readOneSnapshot(tx: Transaction): Promise<void> {
  await tx.query("set transaction isolation level repeatable read, read only");
  await tx.query("set local statement_timeout = 0");
}

/**
 * The last closing up to which the books were verified without a fault; 0: there is none. `is_changed`:
 * it is no longer the closing that the run read.
 */
export async function selectVerifiedClosing(
  db: Queryable,
): Promise<{ closing_id: bigint; is_changed: boolean }> {
  const [row] = await db.query<{ closing_id: bigint; is_changed: boolean }>(
    // What a later run found stays to be found: it is read again from where that run began.
    `select least(r.to_closing_id, f.from_closing_id) as closing_id,
            r.digest is distinct from c.digest as is_changed
       from verify_runs r
       left join ledger_closings c on c.closing_id = r.to_closing_id
       left join lateral (
         select min(l.from_closing_id) as from_closing_id from verify_runs l where l.run_id > r.run_id
       ) f on true
      where r.fault_count = 0
      order by r.run_id desc
      limit 1`,
  );
  return row ?? { closing_id: 0n, is_changed: false };
}

export type NewVerifyRun = {
  readonly mode: "full" | "incremental";
  readonly from_closing_id: bigint;
  readonly to_closing_id: bigint;
  readonly checks: readonly Check[];
  /** By currency. */
  readonly debits: Readonly<Record<string, string>>;
  readonly took_ms: number;
};

export async function insertVerifyRun(db: Queryable, run: NewVerifyRun): Promise<void> {
  await db.query(
    `insert into verify_runs
       (mode, from_closing_id, to_closing_id, digest, checks, fault_count, debits, took_ms)
     select $1, $2, $3, (select c.digest from ledger_closings c where c.closing_id = $3), $4, $5, $6, $7`,
    [
      run.mode,
      run.from_closing_id,
      run.to_closing_id,
      JSON.stringify(run.checks, (_name, value: unknown) =>
        typeof value === "bigint" ? String(value) : value,
      ),
      run.checks.reduce((sum, check) => sum + check.faults.length, 0),
      JSON.stringify(run.debits),
      Math.round(run.took_ms),
    ],
  );
}

/** What the last faultless run covered, by currency, and how long ago it was; undefined: there is none. */
export async function selectVerified(
  db: Queryable,
): Promise<{ debits: Readonly<Record<string, string>>; age_seconds: number } | undefined> {
  const [row] = await db.query<{ debits: Readonly<Record<string, string>>; age_seconds: number }>(
    `select debits, extract(epoch from clock_timestamp() - created_at)::float8 as age_seconds
       from verify_runs
      where fault_count = 0
      order by run_id desc
      limit 1`,
  );
  return row;
}

/** 0: there is none. */
export async function selectLastClosing(db: Queryable): Promise<bigint> {
  const [row] = await db.query<{ closing_id: bigint }>(
    "select coalesce(max(closing_id), 0) as closing_id from ledger_closings",
  );
  return row?.closing_id ?? 0n;
}
