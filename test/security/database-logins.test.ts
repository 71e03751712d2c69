import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrateDatabase } from "../../src/cli/migrate.ts";
import { sqlStateOf, withClient } from "../../src/db/db.ts";
import { definer_functions, written_tables } from "../../src/db/service-rights.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const refused = { code: "42501" };
const login = (): string => new URL(db.service_url).username;
const words = (text: string): string[] => text.split(" ").toSorted();
/** Days of figures, of which a partition is made for each. */
const isDay = (name: string): boolean => /^pgboss\.queue_stats_\d{8}$/.test(name);

type Table = {
  name: string;
  columns: string[];
  insert: string[];
  update: string[];
  deletes: boolean;
  more: string[];
};

/**
 * Every table and view of the database that is not PostgreSQL's own, with what the service's login may do to
 * it.
 */
async function tables(): Promise<Table[]> {
  const may = (right: string): string => `coalesce(array_agg(a.attname::text order by a.attname::text)
    filter (where has_column_privilege($1, c.oid, a.attnum, '${right}')), '{}')`;
  const rows = await db.asOwner(
    `
    select c.oid::regclass::text as name, array_agg(a.attname::text order by a.attname::text) as columns,
           ${may("insert")} as insert, ${may("update")} as update, has_table_privilege($1, c.oid, 'delete') as deletes,
           array(select r from unnest(array['truncate', 'references', 'trigger', 'maintain']) r where has_table_privilege($1, c.oid, r)) as more
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
     group by c.oid order by 1`,
    [login()],
  );
  return rows as Table[];
}

/** How each statement of the service's login ends, in one round trip: 800 of them took 30 s on a busy machine. */
async function outcomesOf(statements: readonly string[]): Promise<{ statement: string; code: string }[]> {
  return withClient(db.service_url, async (client) => {
    const list = client.escapeLiteral(JSON.stringify(statements));
    await client.query(`do $do$
      declare
        v_statement text;
        v_outcomes jsonb := '[]';
      begin
        for v_statement in select jsonb_array_elements_text(${list}::jsonb) loop
          begin
            execute v_statement;
            v_outcomes := v_outcomes || jsonb_build_object('statement', v_statement, 'code', 'done');
          exception when others then
            v_outcomes := v_outcomes || jsonb_build_object('statement', v_statement, 'code', sqlstate);
          end;
        end loop;
        perform set_config('test.outcomes', v_outcomes::text, false);
      end $do$`);
    const { rows } = await client.query<{ outcomes: { statement: string; code: string }[] }>(
      "select current_setting('test.outcomes')::jsonb as outcomes",
    );
    return rows[0]?.outcomes ?? [];
  });
}

describe("the service's login", () => {
  test("may write exactly what is listed here, in every table of the database", async () => {
    const found = (await tables()).filter(({ name }) => !isDay(name));
    expect(found.length).toBeGreaterThan(25);
    const listed = (columns: string[], text: string | undefined): string[] =>
      text === "*" ? columns.toSorted() : words(text ?? "").filter(Boolean);
    for (const { name, columns, ...rights } of found) {
      const { insert, update, delete: deletes = false } = written_tables[name] ?? {};
      expect([name, rights]).toEqual([
        name,
        { insert: listed(columns, insert), update: listed(columns, update), deletes, more: [] },
      ]);
    }
    expect(Object.keys(written_tables).filter((name) => !found.some((table) => table.name === name))).toEqual(
      [],
    );
  });

  test("is refused when it tries the rest, table by table and column by column", async () => {
    const statements: string[] = [];
    for (const { name, columns, insert, update, deletes } of await tables()) {
      const [column = ""] = columns;
      statements.push(
        ...columns
          .filter((one) => !update.includes(one))
          .map((one) => `update ${name} set "${one}" = default where false`),
        ...columns
          .filter((one) => !insert.includes(one))
          .map((one) => `insert into ${name} ("${one}") overriding system value values (default)`),
        ...(deletes ? [] : [`delete from ${name} where false`]),
        `truncate ${name}`,
        `drop table ${name}`,
        `alter table ${name} disable trigger all`,
        `create trigger t after insert on ${name} execute function ledger_refuse_change()`,
        `create index on ${name} ("${column}")`,
        `create rule r as on insert to ${name} do instead nothing`,
        `alter table ${name} owner to current_user`,
        `create policy p on ${name} using (true)`,
      );
    }
    expect(statements.length).toBeGreaterThan(500);
    // 42809: not for this kind of relation, such as a view; 55000: a view takes no rows at all.
    expect(
      (await outcomesOf(statements)).filter(({ code }) => !["42501", "42809", "55000"].includes(code)),
    ).toEqual([]);
  });

  test("may run these functions, of which some act as the owner, and can change none", async () => {
    const rows = await db.asOwner(
      `
      select p.oid::regprocedure::text as name, p.prosecdef as is_definer, has_function_privilege($1, p.oid, 'execute') as may
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname not in ('pg_catalog', 'information_schema') order by 1`,
      [login()],
    );
    expect(
      rows
        .filter((row) => row["may"] === true && row["is_definer"] === true)
        .map((row) => String(row["name"]).split("(")[0]),
    ).toEqual(definer_functions);
    for (const row of rows) {
      for (const change of [
        "security definer",
        "reset all",
        "set search_path = pg_temp, public",
        "owner to current_user",
      ]) {
        await expect(
          db.asService(`alter function ${String(row["name"])} ${change}`),
          `${String(row["name"])} ${change}`,
        ).rejects.toMatchObject(refused);
      }
      await expect(db.asService(`drop function ${String(row["name"])} cascade`)).rejects.toMatchObject(
        refused,
      );
    }
  });

  test.for([
    "create or replace function ledger_refuse_change() returns trigger language plpgsql as 'begin return new; end'",
    "create function pgboss.f() returns int language sql as 'select 1'",
    "create table pgboss.planted ()",
    "create view v as select 1",
    "create type planted as (x int)",
    "create operator public.+ (function = int4pl, leftarg = text, rightarg = text)",
    "create extension dblink",
    "create extension plpython3u",
    "create language plperlu",
    "create event trigger e on ddl_command_start execute function ledger_refuse_change()",
    "create publication p for all tables",
    "create subscription s connection 'x' publication p",
    "create collation c (locale = 'C')",
    "drop schema public cascade",
    "alter schema public owner to current_user",
    "alter system set log_statement = 'all'",
    "set log_statement = 'all'",
    "set session_preload_libraries = 'x'",
    "load '/tmp/x.so'",
    "alter role current_user superuser",
    "alter role current_user createrole",
    "set role pg_read_server_files",
    "grant pg_execute_server_program to current_user",
    "reassign owned by postgres to current_user",
    "alter default privileges for role postgres grant all on tables to public",
    "copy (select 1) to '/tmp/planted'",
    "copy dead_letters from '/etc/passwd'",
    "copy (select 1) to program 'id'",
    "copy api_keys from stdin",
    "select pg_read_file('pg_hba.conf')",
    "select pg_read_binary_file('/etc/shadow')",
    "select pg_ls_dir('.')",
    "select pg_stat_file('.')",
    "select lo_import('/etc/passwd')",
    "select lo_export(1, '/tmp/planted')",
    "select * from pg_authid",
    "select * from pg_shadow",
    "select * from pg_hba_file_rules",
    "select * from pg_file_settings",
    "select * from pg_user_mapping",
    "select pg_reload_conf()",
    "select pg_rotate_logfile()",
    "select pg_switch_wal()",
    "select pg_create_restore_point('x')",
    "select pg_promote()",
    "select pg_create_logical_replication_slot('x', 'pgoutput')",
    "checkpoint",
    "select set_config('session_replication_role', 'replica', false)",
    "select setval('event_numbers', 1)",
    "select nextval('audit_log_audit_id_seq')",
    "do $$ begin lock table ledger_entries in access exclusive mode; end $$",
    "do $$ begin lock table api_keys in share mode; end $$",
    "comment on table api_keys is 'x'",
    "cluster ledger_entries",
    "reindex table ledger_entries",
    "do language plpgsql $$ begin execute 'alter table public.ledger_entries disable trigger all'; end $$",
  ])("may not: %s", async (statement) => {
    await expect(db.asService(statement)).rejects.toMatchObject(refused);
  });

  test("cannot take on any other role, nor end another login's session", async () => {
    const roles = await db.asOwner(
      // Roles of other tests' databases come and go meanwhile.
      `select rolname as name from pg_roles
        where not pg_has_role($1, oid, 'member') and (rolname !~ '^test_' or starts_with(rolname, $2))`,
      [login(), db.name],
    );
    expect(roles.length).toBeGreaterThan(10);
    for (const { name } of roles)
      await expect(db.asService(`set role "${String(name)}"`), String(name)).rejects.toMatchObject(refused);
    const [mine] = await db.asOwner("select pg_backend_pid() as pid");
    await expect(db.asService("select pg_terminate_backend($1)", [mine?.["pid"]])).rejects.toMatchObject(
      refused,
    );
    await expect(db.asService("select pg_cancel_backend($1)", [mine?.["pid"]])).rejects.toMatchObject(
      refused,
    );
  });

  test("sees no other login's statements, which may hold secrets", async () => {
    await db.asOwner("select 'a secret of the owner'");
    const seen = JSON.stringify(await db.asService("select usename, query from pg_stat_activity"));
    expect(seen).not.toContain("a secret of the owner");
  });

  test("plants nothing in the cluster's other databases: it connects to none of Pacioli's, and writes in no other", async () => {
    const template = await db.asOwner("select public.service_role()::text as role");
    const names = await db.asOwner(
      "select datname as name from pg_database where datallowconn and has_database_privilege($1, oid, 'connect') and datname <> current_database()",
      [login()],
    );
    for (const { name } of names) {
      const url = new URL(db.service_url);
      url.pathname = `/${String(name)}`;
      await withClient(url.toString(), async (client) => {
        await expect(client.query("create table planted ()"), String(name)).rejects.toMatchObject(refused);
        const {
          rows: [known],
        } = await client.query<{ exists: boolean }>(
          "select to_regprocedure('public.service_role()') is not null as exists",
        );
        // The template of these tests gave this database its roles.
        if (known?.exists === true)
          expect((await client.query("select public.service_role()::text as role")).rows).toEqual(template);
      }).catch((error: unknown) => {
        // 3D000: another test has dropped its database meanwhile.
        if (sqlStateOf(error) !== "3D000") throw error;
      });
    }
  });
});

test("a command that the service's login plants in the job queue's tables is not carried out by the owner's next migration", async () => {
  await expect(
    db.asService(
      "insert into pgboss.bam (name, version, table_name, command) values ('x', 1, 'job_common', 'create table planted ()')",
    ),
  ).rejects.toMatchObject(refused);
  await expect(db.asService("update pgboss.version set version = 1")).rejects.toMatchObject(refused);
  await expect(
    db.asService("update pgboss.queue set table_name = 'x; create table planted (); --', partition = true"),
  ).rejects.toMatchObject(refused);
  await db.asService("update pgboss.version set bam_on = null");
  await migrateDatabase(db.url);
  expect(await db.asOwner("select to_regclass('planted') as planted")).toEqual([{ planted: null }]);
});

describe("the owner's login", () => {
  /** History: rows that are written once. The owner is held by triggers, for rights do not bind it. */
  const history = [
    "audit_log",
    "commissions",
    "events",
    "events_default",
    "ledger_closed_periods",
    "ledger_closing_balances",
    "ledger_closing_debits",
    "ledger_closings",
    "ledger_entries",
    // Its partitions.
    "ledger_entries_1",
    "ledger_entries_16777217",
    "ledger_transactions",
    "payment_order_transitions",
    "verify_runs",
  ];

  test.for(history)("can neither change, delete nor empty %s", async (table) => {
    const columns = (await tables()).find(({ name }) => name === table)?.columns ?? [];
    expect(columns).not.toEqual([]);
    for (const column of columns) {
      const isGenerated = (
        await db.asOwner(
          "select attidentity <> '' as yes from pg_attribute where attrelid = $1::regclass and attname = $2",
          [table, column],
        )
      )[0]?.["yes"];
      const value = isGenerated === true ? "default" : `"${column}"`;
      await expect(
        db.asOwner(`update ${table} set "${column}" = ${value}`),
        `${table}.${column}`,
      ).rejects.toMatchObject({ code: "PL002" });
    }
    for (const statement of [
      `delete from ${table}`,
      `delete from ${table} where false`,
      `truncate ${table} cascade`,
      `merge into ${table} t using (select 1) on true when matched then delete`,
    ]) {
      await expect(db.asOwner(statement), statement).rejects.toMatchObject({ code: "PL002" });
    }
  });

  test("finds each of those triggers in force, for each kind of change", async () => {
    const rows = await db.asOwner(`
      select tgrelid::regclass::text as name from pg_trigger
       where tgfoid in ('refuse_history_change'::regproc, 'ledger_refuse_change'::regproc) and tgenabled in ('O', 'A')
         and tgtype & 58 = 58 and tgqual is null and tgattr = ''
       order by 1`);
    const weeks = await db.asOwner(`
      select inhrelid::regclass::text as name from pg_inherits
       where inhparent = 'events'::regclass and inhrelid <> 'events_default'::regclass`);
    expect(weeks.length).toBeGreaterThan(3);
    const expected = [...history, ...weeks.map(({ name }) => String(name))].toSorted();
    expect(rows.map(({ name }) => String(name)).toSorted()).toEqual(expected);
  });
});
