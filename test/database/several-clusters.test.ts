import { afterAll, beforeAll, expect, test } from "vitest";
import { shard } from "../../src/ids.ts";
import { entryIdOf, entryKeyOf, postAll, verifyLedger, type EntryKey } from "../../src/ledger/ledger.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { account, transfer } from "../support/ledger.ts";

/**
 * What keeps it possible to divide the data among several clusters (docs/adr/0018-several-clusters.md).
 *
 * A unique index and a foreign key hold within one cluster. The home of each says why that is enough:
 *
 * - `checkout`, `attempt`, `buyer`: all rows that can meet in it belong to one checkout, attempt or buyer, and
 *   those stay on the cluster where they were placed. What speaks of an attempt finds it by the shard in its id.
 * - `account`: each cluster has a ledger account of its own under the name.
 * - `directory`: it must hold for all clusters, so a directory beside them would own it.
 * - `local`: each cluster has rows of its own, whose ids hold the shard, or a copy of the same rows.
 */
type Home = "checkout" | "attempt" | "buyer" | "account" | "directory" | "local";

const homesOfIndexes: Readonly<Record<string, Home>> = {
  api_keys_key_hash_key: "directory",
  api_keys_pkey: "directory",
  // A proposal lives where its subject does.
  approvals_one_open: "checkout",
  approvals_pkey: "local",
  audit_log_pkey: "local",
  commissions_capture_index: "checkout",
  dead_letters_one_waiting: "checkout",
  dead_letters_pkey: "local",
  // Followers, and what they read, are of one cluster.
  event_followers_pkey: "local",
  event_removals_pkey: "local",
  // A request with a key lives where what its path or body names does. Sent for something on another cluster,
  // the same key would have its own effect there instead of being refused.
  idempotency_keys_pkey: "checkout",
  ledger_accounts_code_currency_key: "account",
  ledger_accounts_pkey: "account",
  // Closings are of the ticks of one cluster, and so are the runs that verify them.
  ledger_closing_balances_pkey: "local",
  ledger_closing_debits_pkey: "local",
  ledger_closings_pkey: "local",
  ledger_closings_tick_key: "local",
  ledger_closed_periods_pkey: "local",
  ledger_entry_partitions_pkey: "local",
  ledger_entry_partitions_until_transaction_id_key: "local",
  ledger_owners_pkey: "account",
  ledger_owners_place_index: "account",
  // A name has its order, also of one that reverses another.
  ledger_transactions_name_key: "checkout",
  ledger_transactions_pkey: "local",
  // The same rows on each cluster.
  ledger_seller_credits_pkey: "local",
  ledger_transactions_reverses_key: "local",
  operation_kinds_pkey: "local",
  operations_capture_index: "checkout",
  // A lane is an attempt's. A kind with another lane needs a home for it.
  operations_one_in_flight: "attempt",
  operations_one_void: "attempt",
  operations_pkey: "local",
  overdue_orders_pkey: "checkout",
  payment_attempts_one_live_per_checkout: "checkout",
  payment_attempts_one_live_per_order: "checkout",
  // If a PSP's id is given to attempts of two clusters, only a comparison with the PSP's reports finds it.
  payment_attempts_one_resolution_per_reference: "attempt",
  payment_attempts_pkey: "local",
  payment_events_pkey: "directory",
  payment_order_allowed_transitions_from_status_to_status_key: "local",
  payment_order_transitions_pkey: "local",
  payment_orders_pkey: "directory",
  // As for resolutions.
  psp_references_pkey: "attempt",
  risk_block_list_pkey: "directory",
  risk_buyer_days_pkey: "buyer",
  schema_migrations_pkey: "local",
  // Ticks are snapshots of one cluster.
  ticks_lasting_index: "local",
  ticks_pkey: "local",
  ticks_taken_at_index: "local",
  verify_runs_pkey: "local",
  // An event lives where the attempt that it names does.
  webhook_inbox_event_key: "attempt",
  webhook_inbox_pkey: "local",
  xid_epochs_pkey: "local",
};

const homesOfForeignKeys: Readonly<Record<string, Home>> = {
  ledger_closings_tick_fkey: "local",
  ledger_entry_partitions_detached_tick_fkey: "local",
  // A reversal is posted where its transaction was.
  ledger_transactions_reverses_transaction_id_fkey: "local",
  operations_attempt_id_fkey: "attempt",
  operations_kind_fkey: "local",
  operations_payment_order_id_fkey: "checkout",
  overdue_orders_payment_order_id_fkey: "checkout",
  payment_attempts_checkout_id_fkey: "checkout",
  payment_attempts_payment_order_id_fkey: "checkout",
  payment_orders_checkout_id_fkey: "checkout",
};

/** Those whose numbers leave the cluster, or could be added up with another's. */
const numbersOfShard = [
  "audit_log_audit_id_seq",
  "event_numbers",
  "ledger_accounts_account_id_seq",
  "ledger_owners_place_seq",
  "ledger_transactions_transaction_id_seq",
];
/** Their numbers name migrations, snapshots and verifications of one database and are read nowhere else. */
const numbersOfDatabase = [
  "schema_migrations_id_seq",
  "ticks_tick_seq",
  "verify_runs_run_id_seq",
  "xid_epochs_epoch_seq",
];

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const namesOf = async (text: string): Promise<string[]> =>
  (await db.asOwner(text)).map((row) => String(row["name"]));

/** What to do about each name that only one of the two sides has. */
function differences(
  what: string,
  found: readonly string[],
  listed: readonly string[],
  advice: string,
): string[] {
  const unlisted = found.filter((name) => !listed.includes(name));
  const gone = listed.filter((name) => !found.includes(name));
  return [
    ...unlisted.map((name) => `The ${what} ${name} is not listed. ${advice}`),
    ...gone.map((name) => `There is no ${what} ${name} any more. Remove it from its list in this test.`),
  ];
}

const adviceOn = (list: string): string =>
  `Say in ${list} by what its rows are placed on a cluster. If they can belong to several checkouts, attempts ` +
  "or buyers and no directory is to own it, do without it: it could not hold across clusters.";

test("every unique index has a home, within which it needs to hold", async () => {
  // An exclusion constraint promises something across rows too. Partitions repeat their table's.
  const found = await namesOf(`
    select i.indexrelid::regclass::text as name
      from pg_index i
      join pg_class t on t.oid = i.indrelid
     where t.relnamespace = 'public'::regnamespace and not t.relispartition
       and (i.indisunique or i.indisexclusion)`);
  const listed = Object.keys(homesOfIndexes);
  expect(differences("unique index", found, listed, adviceOn("homesOfIndexes"))).toEqual([]);
});

test("every foreign key has a home, in which both of its rows are", async () => {
  const found = await namesOf(`
    select conname as name from pg_constraint
     where contype = 'f' and connamespace = 'public'::regnamespace and conparentid = 0`);
  const listed = Object.keys(homesOfForeignKeys);
  expect(differences("foreign key", found, listed, adviceOn("homesOfForeignKeys"))).toEqual([]);
});

test("the only tables outside the schema public are the job queue's, which wake workers of their own cluster", async () => {
  const found = await namesOf(`
    select distinct n.nspname as name
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
     order by 1`);
  expect(found).toEqual(["pgboss", "public"]);
});

test("every sequence starts in the range of its shard, runs on without a cycle and counts by one", async () => {
  const found = await namesOf("select sequencename as name from pg_sequences where schemaname = 'public'");
  const listed = [...numbersOfShard, ...numbersOfDatabase];
  const advice =
    "Add it to numbersOfShard, so that another shard starts it in a range of its own, or say in " +
    "numbersOfDatabase why two clusters may use the same numbers.";
  expect(differences("sequence", found, listed, advice)).toEqual([]);
  const rows = await db.asOwner(
    `select sequencename as name, start_value::text, increment_by::int, cycle, data_type::text
       from pg_sequences where schemaname = 'public' and sequencename = any($1)`,
    [numbersOfShard],
  );
  for (const row of rows) {
    const name = String(row["name"]);
    expect(row, name).toMatchObject({ increment_by: 1, cycle: false, data_type: "bigint" });
    expect(BigInt(String(row["start_value"])) >> 48n, `${name} starts in the range of another shard`).toBe(
      BigInt(shard),
    );
  }
});

test("a database of the last shard is made by restarting its sequences; it posts, and its books are verified", async () => {
  const last = 4095n;
  const other = await createTestDatabase();
  try {
    for (const name of numbersOfShard)
      await other.asOwner(`alter sequence ${name} start ${last << 48n} restart`);
    // It makes the partition for these numbers.
    await other.asOwner("select take_tick(true)");
    const draft = transfer("s", account("x:a"), account("x:b"), 5n);
    const [posting] = await other.database.transaction((tx) => postAll(tx, [draft]));
    expect(posting).toMatchObject({ outcome: "posted" });
    const rows = await other.database.query<EntryKey & { transaction_id: bigint }>(
      "select account_id, account_version, transaction_id from ledger_entries",
    );
    expect(rows).toHaveLength(2);
    for (const { transaction_id, ...key } of rows) {
      expect([transaction_id >> 48n, key.account_id >> 48n]).toEqual([last, last]);
      expect(entryKeyOf(entryIdOf(key))).toEqual(key);
    }
    expect((await verifyLedger(other.database)).flatMap((check) => check.faults)).toEqual([]);
  } finally {
    await other.drop();
  }
});
