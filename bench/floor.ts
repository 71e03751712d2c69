import { openDatabase } from "../src/cli/compose.ts";
import { migrateDatabase } from "../src/cli/migrate.ts";
import { numberArray, textArray, wordArray, type Database } from "../src/db/db.ts";
import type { TransactionDraft } from "../src/ledger/ledger.ts";
import { batch_items } from "./post-for.ts";
import { freshDatabase, urlOf, type Server } from "./server.ts";
import type { Draw } from "./transfers.ts";

/** How many batches are written at once, as the ledger does. */
const writers = 2;

/**
 * The floor of posting: transfers per second of a bare insert of the same rows into the same tables and
 * indexes, without triggers, checks, locks or balances, in batches of the same size.
 */
export async function measureFloor(server: Server, draw: Draw, seconds: number): Promise<number> {
  const name = await freshDatabase(server, "pacioli_bench_floor");
  await migrateDatabase(urlOf(server, name));
  const database = openDatabase(urlOf(server, name), writers, "bench");
  try {
    await dropRules(database);
    let written = 0;
    const start = performance.now();
    const isOver = (): boolean => performance.now() - start > seconds * 1_000;
    const write = async (): Promise<void> => {
      while (!isOver()) {
        await insertBatch(database, written, Array.from({ length: batch_items }, draw));
        written += batch_items;
      }
    };
    await Promise.all(Array.from({ length: writers }, write));
    return written / ((performance.now() - start) / 1_000);
  } finally {
    await database.close();
  }
}

/** Takes away what guards the ledger's tables; their indexes stay. */
async function dropRules(database: Database): Promise<void> {
  await database.query(
    `do $$
     declare
       v_rule record;
     begin
       for v_rule in
         select t.tgrelid::regclass as of_table, t.tgname as name from pg_trigger t
          where t.tgrelid::regclass::text like 'ledger_%' and not t.tgisinternal
       loop
         execute format('drop trigger %I on %s', v_rule.name, v_rule.of_table);
       end loop;
       for v_rule in
         select c.conrelid::regclass as of_table, c.conname as name from pg_constraint c
          where c.conrelid::regclass::text in ('ledger_transactions', 'ledger_entries')
            and c.contype in ('c', 'f') and c.conislocal
       loop
         execute format('alter table %s drop constraint %I', v_rule.of_table, v_rule.name);
       end loop;
     end
     $$`,
  );
}

async function insertBatch(
  database: Database,
  written: number,
  drafts: readonly TransactionDraft[],
): Promise<void> {
  await database.query(
    `with drafts as materialized (
       select d.*, nextval('ledger_transactions_transaction_id_seq') as transaction_id
         from unnest($1::ledger_transaction_kind[], $2::ledger_subject_type[], $3::text[], $4::text[], $5::bigint[])
              with ordinality as d (kind, subject_type, subject_id, part, amount_minor, position)
     ), transactions as (
       insert into ledger_transactions
         (transaction_id, created_at, xid, kind, subject_type, subject_id, part)
       overriding system value
       select transaction_id, now(), 1, kind, subject_type, subject_id, part from drafts
     )
     insert into ledger_entries
       (account_id, account_version, transaction_id, amount_minor, balance_after_minor)
     select e.account_id, $6::bigint + d.position, d.transaction_id, e.sign * d.amount_minor, d.amount_minor
       from drafts d
       cross join lateral (values (1, 1), (2 + d.position % 100, -1)) as e (account_id, sign)`,
    [
      wordArray(drafts.map(({ kind }) => kind)),
      wordArray(drafts.map(({ subject_type }) => subject_type)),
      textArray(drafts.map(({ subject_id }) => subject_id)),
      textArray(drafts.map(({ part }) => part)),
      numberArray(drafts.map(({ entries }) => entries[0]?.amount_minor ?? 0n)),
      written,
    ],
  );
}
