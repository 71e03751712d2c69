import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

let run = 0;
beforeEach(() => {
  run += 1;
});

/** A session of the service's login, as somebody who stole its password would open it. */
async function openSession(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.service_url });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

const post = (client: pg.Client): Promise<pg.QueryResult> =>
  client.query(
    `select outcome from ledger_post(array['a:${run}', 'b:${run}'], array['USD', 'USD'], array['asset', 'asset']::ledger_account_kind[],
     array['other', 'other']::ledger_account_role[], array[null, null]::text[], array[null, null]::bigint[],
     array['adjusted']::ledger_transaction_kind[], array['adjustment']::ledger_subject_type[], array['s${run}'], array[''],
     array[null]::timestamptz[], array[null]::text[],
     array[null]::bigint[], array[1, 1], array[1, 2], array[5, -5])`,
  );

/** A temporary table in a table's place, with a trigger whose function runs as whoever writes to it. */
const trap = (table: string): string => `
  create temporary table ${table} (like public.${table} including defaults including indexes);
  create function pg_temp.spring() returns trigger language plpgsql as $$
  begin
    execute 'alter table public.ledger_entries disable trigger all';
    return null;
  end
  $$;
  create trigger spring after insert or update on ${table} for each statement execute function pg_temp.spring()`;

const shadowed = ["ledger_accounts", "ledger_transactions", "ledger_entries"];

test.for(shadowed)("the service's login cannot make a temporary table %s", async (table) => {
  const thief = await openSession();
  await expect(thief.query(trap(table))).rejects.toMatchObject({ code: "42501" });
  await expect(
    thief.query("create function pg_temp.f() returns int language sql as 'select 1'"),
  ).rejects.toMatchObject({ code: "42501" });
});

describe("with the right to make temporary tables given by mistake", () => {
  beforeAll(() => db.asOwner(`grant temporary on database ${db.name} to ${db.service_role}`));
  afterAll(() => db.asOwner(`revoke temporary on database ${db.name} from ${db.service_role}`));

  test.for(shadowed)(
    "a temporary %s does not take the ledger's place, and its trigger does not run as the owner",
    async (table) => {
      const thief = await openSession();
      await thief.query(trap(table));
      expect((await post(thief)).rows).toEqual([{ outcome: "posted" }]);
      expect((await thief.query(`select count(*)::int as n from pg_temp.${table}`)).rows).toEqual([{ n: 0 }]);
      expect(
        await db.asOwner("select 1 from public.ledger_transactions where subject_id = $1", [`s${run}`]),
      ).toHaveLength(1);
      expect(
        await db.asOwner(
          "select tgname from pg_trigger where tgrelid = 'public.ledger_entries'::regclass and tgenabled = 'D'",
        ),
      ).toEqual([]);
    },
  );

  test("a temporary table of the history of orders does not take its place in the triggers that write it", async () => {
    const thief = await openSession();
    await thief.query(`
      create temporary table payment_order_transitions (like public.payment_order_transitions including defaults);
      create temporary table payment_order_allowed_transitions (like public.payment_order_allowed_transitions);
      insert into pg_temp.payment_order_allowed_transitions values ('NOT_STARTED', 'PENDING')`);
    await thief.query(`
      insert into public.payment_events (checkout_id, buyer_info, credit_card_info, unfinished_order_count, request_fingerprint, risk_decision)
      values ('c', '{}', '{}', 1, decode(repeat('00', 32), 'hex'), 'pass');
      insert into public.payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency, status,
                                         status_cause, status_actor, created_by)
      values ('o', 'c', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'accepted', 't', 't')`);
    expect(
      await db.asOwner("select to_status from public.payment_order_transitions where payment_order_id = 'o'"),
    ).toEqual([{ to_status: "NOT_STARTED" }]);
    await expect(
      thief.query("update public.payment_orders set status = 'PENDING' where payment_order_id = 'o'"),
    ).rejects.toMatchObject({ code: "PL005" });
  });
});

test("every function that runs as the owner, and every trigger's, names its schemas and puts the temporary one last", async () => {
  const rows = await db.asOwner(`
    select p.oid::regprocedure::text as function,
           (select substr(setting, length('search_path=') + 1) from unnest(p.proconfig) as setting where setting like 'search\\_path=%') as search_path
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
     where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
       and (p.prosecdef or exists (select from pg_trigger t where t.tgfoid = p.oid))
     order by 1`);
  expect(rows.map((row) => String(row["function"]).split("(")[0])).toEqual(
    expect.arrayContaining([
      "ledger_post",
      "ledger_check_entries",
      "payment_orders_after_insert",
      "payment_orders_after_update",
      "api_keys_create",
      "api_keys_revoke",
    ]),
  );
  for (const row of rows)
    expect(row, String(row["function"])).toMatchObject({
      search_path: expect.stringMatching(/^pg_catalog, (\w+, )*pg_temp$/),
    });
});
