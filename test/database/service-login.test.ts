import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { checkLogin, Database } from "../../src/db/db.ts";
import { messageOf } from "../../src/errors.ts";
import {
  createTestDatabase,
  dropDatabase,
  onServer,
  serverUrl,
  type TestDatabase,
} from "../support/database.ts";
import { makeLogin, query, refused, runMain, urlOf } from "../support/logins.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

describe("the service's login", () => {
  test("may be used: it passes the check at the start", async () => {
    await checkLogin(db.service_url);
  });

  test("is nobody else's: everybody's rights on the database are gone", async () => {
    const stranger = await makeLogin(db, "");
    await expect(query(urlOf(db.name, stranger), "select 1")).rejects.toMatchObject(refused);
  });

  test.for([
    ["select pg_catalog.pg_sleep(0); create temporary table t (x int)"],
    ["create schema mine"],
    ["create table public.mine (x int)"],
    ["create role mine"],
    ["create database mine"],
    ["alter role postgres password 'x'"],
    ["grant postgres to current_user"],
    ["set role postgres"],
    ["set session authorization postgres"],
    ["copy api_keys to program 'cat'"],
    ["select pg_read_file('/etc/passwd')"],
    ["alter database pacioli_template set search_path = pg_temp"],
  ] as const)("may not: %s", async ([statement]) => {
    await expect(db.asService(statement)).rejects.toMatchObject(refused);
  });

  test.for([
    ["a superuser", "superuser", "is a superuser"],
    ["one that may make roles", "createrole", "has CREATEROLE"],
    ["one that may make databases", "createdb", "has CREATEDB"],
    ["one that row security does not bind", "bypassrls", "has BYPASSRLS"],
    ["one that may read the log of changes", "replication", "has REPLICATION"],
    ["one that may write every table", "in role pg_write_all_data", "has pg_write_all_data"],
    ["one that may read the server's files", "in role pg_read_server_files", "has pg_read_server_files"],
    ["one that may write the server's files", "in role pg_write_server_files", "has pg_write_server_files"],
    ["one that may lock and rebuild every table", "in role pg_maintain", "has pg_maintain"],
    [
      "one that may subscribe to another server",
      "in role pg_create_subscription",
      "has pg_create_subscription",
    ],
    ["one that may run programs", "in role pg_execute_server_program", "has pg_execute_server_program"],
  ] as const)(
    "is refused at the start as %s, and the message says what to do",
    async ([, options, fault]) => {
      const roles = options.startsWith("in role")
        ? `${options}, ${db.service_role}`
        : `${options} in role ${db.service_role}`;
      const login = await makeLogin(db, roles);
      await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow(
        new RegExp(
          `"${login}" may not run the service.*${fault}.*create role <name> login .* in role ${db.service_role};.*DATABASE_URL`,
        ),
      );
    },
  );

  test("is refused when it could take on a role with such rights, though it does not have them yet", async () => {
    const powerful = await makeLogin(db, "createrole");
    const login = await makeLogin(db, `in role ${db.service_role}`);
    await onServer(serverUrl(), `grant ${powerful} to ${login} with inherit false, set true`);
    await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow("has CREATEROLE");
  });

  test("is refused when it, or a role that it may take on, may turn the triggers off", async () => {
    const fault = "may set session_replication_role";
    for (const right of ["set", "alter system"]) {
      const login = await makeLogin(db, `in role ${db.service_role}`);
      await db.asOwner(`grant ${right} on parameter session_replication_role to ${login}`);
      await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow(fault);
    }
    const powerful = await makeLogin(db, "");
    await db.asOwner(`grant set on parameter session_replication_role to ${powerful}`);
    const login = await makeLogin(db, `in role ${db.service_role}`);
    await onServer(serverUrl(), `grant ${powerful} to ${login} with inherit false, set true`);
    await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow(fault);
  });

  test("is refused when its sessions start with the triggers off", async () => {
    const login = await makeLogin(db, `in role ${db.service_role}`);
    await db.asOwner(`alter role ${login} set session_replication_role = replica`);
    await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow(
      "session_replication_role other than origin",
    );
  });

  test.for([
    "the database",
    "schema public",
    "schema pgboss",
    "table risk_block_list",
    "table pgboss.warning",
    "function ledger_refuse_change()",
  ])("is refused as the owner of %s, and as one that may take its owner's role on", async (owned) => {
    const object = owned === "the database" ? `database ${db.name}` : owned;
    // Otherwise it belongs to whoever owns the database.
    await db.asOwner("alter schema public owner to postgres");
    const login = await makeLogin(db, `in role ${db.service_role}`);
    const other = await makeLogin(db, `in role ${db.service_role}`);
    await onServer(serverUrl(), `grant ${login} to ${other} with inherit false, set true`);
    await db.asOwner(`alter ${object} owner to ${login}`);
    try {
      for (const one of [login, other])
        await expect(checkLogin(urlOf(db.name, one))).rejects.toThrow("owns the schema");
    } finally {
      await db.asOwner(`alter ${object} owner to postgres`);
    }
  });

  test.for(["the database", "schema public"])(
    "is refused with the right to make objects in %s",
    async (place) => {
      const login = await makeLogin(db, `in role ${db.service_role}`);
      await db.asOwner(
        `grant create on ${place === "the database" ? `database ${db.name}` : place} to ${login}`,
      );
      await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow("may make objects in the database");
    },
  );

  /** `L` is the login, `M` a role that it may take on with `set role` only. */
  test.for([
    ["grant insert on api_keys to L", "may insert api_keys (revoke insert on table api_keys from L)"],
    ["grant insert (name) on api_keys to L", "may insert api_keys (revoke insert (name) on table api_keys"],
    ["grant all on all tables in schema public to L", "more rights"],
    ["grant trigger on payment_orders to L", "(revoke trigger on table payment_orders from L)"],
    ["grant update, delete on ledger_entries to L", "(revoke update on table ledger_entries from L)"],
    ["grant update on sequence event_numbers to L", "(revoke update on sequence event_numbers from L)"],
    [
      "grant execute on function api_keys_create(text, bytea, text, text, text[], text) to L",
      "may execute api_keys_create(",
    ],
    ["grant create on schema pgboss to L", "(revoke create on schema pgboss from L)"],
    ["grant create on schema public to M", "(revoke create on schema public from M)"],
    ["grant temporary on database D to M", "(revoke temporary on database D from M)"],
    ["grant select on pg_catalog.pg_authid to L", "(revoke select on table pg_catalog.pg_authid from L)"],
    ["grant execute on function pg_read_file(text) to L", "on function pg_catalog.pg_read_file("],
    ["grant set on parameter log_statement to L", "(revoke set on parameter log_statement from L)"],
    ["grant pg_read_all_data to L", "has pg_read_all_data"],
    ["grant pg_signal_backend to M", "has pg_signal_backend"],
    ["grant M to L with admin option", "may grant the role M (revoke admin option for M from"],
    ["grant select on payment_orders to L with grant option", "may grant rights to others (revoke select"],
    ["create schema S authorization L", "owns schema S (reassign owned by"],
    ["alter role L set synchronous_commit = off", '(alter role "L" reset synchronous_commit)'],
    ["alter role L in database D set synchronous_commit = local", "synchronous_commit=local"],
  ] as const)("is refused after: %s", async ([statement, fault]) => {
    const member = await makeLogin(db, "");
    const login = await makeLogin(db, `in role ${db.service_role}`);
    await onServer(serverUrl(), `grant ${member} to ${login} with inherit false, set true`);
    await checkLogin(urlOf(db.name, login));
    const named = (text: string): string =>
      text.replaceAll(/\b[LMDS]\b/g, (letter) =>
        letter === "L" ? login : letter === "M" ? member : letter === "D" ? db.name : `s_${login}`,
      );
    await db.asOwner(named(statement));
    const failure = await checkLogin(urlOf(db.name, login)).catch((error: unknown) => messageOf(error));
    expect(failure).toContain(`The login "${login}" may not run the service, because it `);
    expect(failure).toContain(named(fault));
    expect(String(failure).length).toBeLessThan(1_500);
  });

  test("is refused after a grant to everybody, or to the service's role, beyond what that is meant to have", async () => {
    for (const grantee of ["public", db.service_role]) {
      await db.asOwner(`grant insert on api_keys to ${grantee}`);
      try {
        await expect(checkLogin(db.service_url)).rejects.toThrow(
          `(revoke insert on table api_keys from ${grantee})`,
        );
      } finally {
        await db.asOwner(`revoke insert on api_keys from ${grantee}`);
      }
    }
    await checkLogin(db.service_url);
  });

  test("is not refused for an extension that everybody may use", async () => {
    await db.asOwner("create extension if not exists pg_trgm");
    onTestFinished(() => void db.asOwner("drop extension pg_trgm"));
    await checkLogin(db.service_url);
  });

  test("makes no large objects, and commits durably whatever it sets on itself", async () => {
    for (const call of ["lo_create(0)", "lo_creat(-1)", "lo_from_bytea(0, 'x')"])
      await expect(db.asService(`select ${call}`), call).rejects.toMatchObject(refused);
    // Not the login that the tests share: other tests' services start meanwhile.
    const login = await makeLogin(db, `in role ${db.service_role}`);
    const url = urlOf(db.name, login);
    const database = new Database({ url, application_name: "test", connections_max: 1 });
    onTestFinished(() => database.close());
    await database.query("alter role current_user set synchronous_commit = off");
    const again = new Database({ url, application_name: "test", connections_max: 1 });
    onTestFinished(() => again.close());
    expect(await again.query("show synchronous_commit")).toEqual([{ synchronous_commit: "on" }]);
    await expect(checkLogin(url)).rejects.toThrow("starts its sessions with synchronous_commit=off");
  });

  test("is refused with the right to make temporary tables, with an admin's role, and without the service's", async () => {
    const generous = await makeLogin(db, `in role ${db.service_role}`);
    await db.asOwner(`grant temporary on database ${db.name} to ${generous}`);
    await expect(checkLogin(urlOf(db.name, generous))).rejects.toThrow("may make temporary tables");
    const admin = await makeLogin(
      db,
      `in role ${db.service_role}, ${db.service_role.replace("_service", "_admin")}`,
    );
    await expect(checkLogin(urlOf(db.name, admin))).rejects.toThrow("may make API keys");
    const stranger = await makeLogin(db, "");
    await db.asOwner(`grant connect on database ${db.name} to ${stranger}`);
    await expect(checkLogin(urlOf(db.name, stranger))).rejects.toThrow("lacks the service's role");
  });

  test("is refused where the service's role gives it nothing before a `set role`", async () => {
    const login = await makeLogin(db, "");
    await onServer(serverUrl(), `grant ${db.service_role} to ${login} with inherit false, set true`);
    // Without this it could not even connect.
    await db.asOwner(`grant connect on database ${db.name} to ${login}`);
    await db.asOwner(`grant execute on function service_role() to ${login}`);
    await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow("lacks the service's role");
  });

  test("is told to migrate a database that has no schema yet", async () => {
    const empty = `test_empty_${randomBytes(4).toString("hex")}`;
    await onServer(serverUrl(), `create database ${empty}`);
    onTestFinished(() => dropDatabase(serverUrl(), empty));
    await onServer(serverUrl(), `revoke temporary on database ${empty} from public`);
    await expect(checkLogin(urlOf(empty, await makeLogin(db, "")))).rejects.toThrow(
      "has no schema yet: run `pacioli migrate`",
    );
  });

  test("that owns the database stops `serve` before it listens", async () => {
    const ended = await runMain(["serve"], {
      DATABASE_URL: db.url,
      SECRET_KEY: randomBytes(32).toString("hex"),
      PSP_STRIPE_SECRET_KEY: `sk_live_${randomBytes(18).toString("base64")}`,
      PORT: "0",
    });
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(
      /^The login "postgres" may not run the service, because it is a superuser\. Make a login of its own \(create role/,
    );
  });
});
