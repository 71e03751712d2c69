import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { migrateDatabase } from "../../src/cli/migrate.ts";
import { checkLogin, Database, ensureServiceLogin, findRoles, withClient } from "../../src/db/db.ts";
import { messageOf } from "../../src/errors.ts";
import { rolesOfDatabase, withRoles } from "../../src/db/roles.ts";
import {
  createTestDatabase,
  dropDatabase,
  onServer,
  serverUrl,
  type TestDatabase,
} from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const refused = { code: "42501" };
const password = randomBytes(16).toString("hex");

function urlOf(database: string, login?: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${database}`;
  if (login !== undefined) Object.assign(url, { username: login, password });
  return url.toString();
}

/** A login for the length of a test, with these attributes and memberships. */
async function makeLogin(options: string): Promise<string> {
  const name = `test_login_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl(), `create role ${name} login password '${password}' ${options}`);
  onTestFinished(async () => {
    await db.asOwner(`reassign owned by ${name} to postgres`);
    await db.asOwner(`drop owned by ${name}`);
    await onServer(serverUrl(), `drop role ${name}`);
  });
  return name;
}

async function query(url: string, text: string): Promise<pg.QueryResultRow[]> {
  return withClient(url, async (client) => (await client.query(text)).rows);
}

describe("two databases of one cluster", () => {
  const names = [
    `test_first_${randomBytes(4).toString("hex")}`,
    `test_second_${randomBytes(4).toString("hex")}`,
  ] as const;
  beforeAll(async () => {
    for (const name of names) {
      await onServer(serverUrl(), `create database ${name}`);
      await migrateDatabase(urlOf(name));
    }
  });
  afterAll(async () => {
    for (const name of names) await dropDatabase(serverUrl(), name);
  });

  test("have a role each, and the login of one cannot even connect to the other", async () => {
    const [first, second] = names;
    expect(await withClient(urlOf(first), findRoles)).toEqual({
      service: `${first}_service`,
      admin: `${first}_admin`,
    });
    const login = new URL(await ensureServiceLogin(urlOf(first)));
    expect(await query(login.toString(), "select session_user::text as who")).toEqual([
      { who: `${first}_app` },
    ]);
    await checkLogin(login.toString());
    login.pathname = `/${second}`;
    await expect(query(login.toString(), "select 1")).rejects.toMatchObject(refused);
  });

  test("share no rights, should somebody let the login connect all the same", async () => {
    const [first, second] = names;
    const login = new URL(await ensureServiceLogin(urlOf(first)));
    await onServer(serverUrl(), `grant connect on database ${second} to ${first}_app`);
    login.pathname = `/${second}`;
    for (const text of [
      "select * from payment_orders",
      "select * from api_keys",
      "select * from pgboss.job",
      "select service_role()",
    ]) {
      await expect(query(login.toString(), text)).rejects.toMatchObject(refused);
    }
    await expect(checkLogin(login.toString())).rejects.toThrow("lacks the service's role");
    await onServer(serverUrl(), `revoke connect on database ${second} from ${first}_app`);
  });

  test("keep the roles of their first migration under another name, where their grants are", async () => {
    const [, second] = names;
    await onServer(serverUrl(), `alter database ${second} rename to ${second}_renamed`);
    try {
      await migrateDatabase(urlOf(`${second}_renamed`));
      expect(await withClient(urlOf(`${second}_renamed`), findRoles)).toMatchObject({
        service: `${second}_service`,
      });
      await checkLogin(await ensureServiceLogin(urlOf(`${second}_renamed`)));
    } finally {
      await onServer(serverUrl(), `alter database ${second}_renamed rename to ${second}`);
    }
  });
});

test("a role's name is made of the database's, in 63 bytes, without quotes, and no two databases get the same", () => {
  expect(rolesOfDatabase("pacioli")).toEqual({ service: "pacioli_service", admin: "pacioli_admin" });
  const odd = [
    "shop-eu",
    "shop_eu",
    "Shop_eu",
    "shop.eu",
    "1shop",
    "x".repeat(63),
    `${"x".repeat(62)}y`,
    "läden",
    'a"; drop table x; --',
  ];
  const roles = odd.map((name) => rolesOfDatabase(name).service);
  for (const role of roles) expect(role).toMatch(/^[a-z_][a-z0-9_]{0,62}$/);
  expect(new Set(roles).size).toBe(odd.length);
  expect(
    withRoles(
      "grant select on t to pacioli_service, pacioli_admin; -- not_pacioli_service",
      rolesOfDatabase("shop"),
    ),
  ).toBe("grant select on t to shop_service, shop_admin; -- not_pacioli_service");
});

describe("the service's login", () => {
  test("may be used: it passes the check at the start", async () => {
    await checkLogin(db.service_url);
  });

  test("is nobody else's: everybody's rights on the database are gone", async () => {
    const stranger = await makeLogin("");
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
      const login = await makeLogin(roles);
      await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow(
        new RegExp(
          `"${login}" may not run the service.*${fault}.*create role <name> login .* in role ${db.service_role};.*DATABASE_URL`,
        ),
      );
    },
  );

  test("is refused when it could take on a role with such rights, though it does not have them yet", async () => {
    const powerful = await makeLogin("createrole");
    const login = await makeLogin(`in role ${db.service_role}`);
    await onServer(serverUrl(), `grant ${powerful} to ${login} with inherit false, set true`);
    await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow("has CREATEROLE");
  });

  test("is refused when it, or a role that it may take on, may turn the triggers off", async () => {
    const fault = "may set session_replication_role";
    for (const right of ["set", "alter system"]) {
      const login = await makeLogin(`in role ${db.service_role}`);
      await db.asOwner(`grant ${right} on parameter session_replication_role to ${login}`);
      await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow(fault);
    }
    const powerful = await makeLogin("");
    await db.asOwner(`grant set on parameter session_replication_role to ${powerful}`);
    const login = await makeLogin(`in role ${db.service_role}`);
    await onServer(serverUrl(), `grant ${powerful} to ${login} with inherit false, set true`);
    await expect(checkLogin(urlOf(db.name, login))).rejects.toThrow(fault);
  });

  test("is refused when its sessions start with the triggers off", async () => {
    const login = await makeLogin(`in role ${db.service_role}`);
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
    const login = await makeLogin(`in role ${db.service_role}`);
    const other = await makeLogin(`in role ${db.service_role}`);
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
      const login = await makeLogin(`in role ${db.service_role}`);
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
    const member = await makeLogin("");
    const login = await makeLogin(`in role ${db.service_role}`);
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
    await db.asService("alter role current_user set synchronous_commit = off");
    onTestFinished(async () => void (await db.asService("alter role current_user reset synchronous_commit")));
    const database = new Database({ url: db.service_url, application_name: "test", connections_max: 1 });
    onTestFinished(() => database.close());
    expect(await database.query("show synchronous_commit")).toEqual([{ synchronous_commit: "on" }]);
    await expect(checkLogin(db.service_url)).rejects.toThrow(
      "starts its sessions with synchronous_commit=off",
    );
  });

  test("is refused with the right to make temporary tables, with an admin's role, and without the service's", async () => {
    const generous = await makeLogin(`in role ${db.service_role}`);
    await db.asOwner(`grant temporary on database ${db.name} to ${generous}`);
    await expect(checkLogin(urlOf(db.name, generous))).rejects.toThrow("may make temporary tables");
    const admin = await makeLogin(
      `in role ${db.service_role}, ${db.service_role.replace("_service", "_admin")}`,
    );
    await expect(checkLogin(urlOf(db.name, admin))).rejects.toThrow("may make API keys");
    const stranger = await makeLogin("");
    await db.asOwner(`grant connect on database ${db.name} to ${stranger}`);
    await expect(checkLogin(urlOf(db.name, stranger))).rejects.toThrow("lacks the service's role");
  });

  test("is refused where the service's role gives it nothing before a `set role`", async () => {
    const login = await makeLogin("");
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
    await expect(checkLogin(urlOf(empty, await makeLogin("")))).rejects.toThrow(
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

describe("API keys", () => {
  const keyColumns =
    "(key_id, key_hash, name, last_four, scopes) values ('key_x', sha256('x'), 'x', 'xxxx', '{admin}')";

  test.for([
    [`insert into api_keys ${keyColumns}`],
    ["update api_keys set revoked_at = null"],
    ["update api_keys set scopes = '{admin}'"],
    ["delete from api_keys"],
    ["truncate api_keys"],
    ["select api_keys_create('key_x', sha256('x'), 'x', 'xxxx', '{admin}', 'cli:mallory')"],
    ["select api_keys_revoke('key_x', 'cli:mallory')"],
    ["select api_keys_require_admin('cli:mallory')"],
  ] as const)("the service's login may not: %s", async ([statement]) => {
    await expect(db.asService(statement)).rejects.toMatchObject(refused);
  });

  test("an admin's login makes and revokes them through the functions, each with its line in the audit log, and does nothing else", async () => {
    const login = await makeLogin(`in role ${db.service_role.replace("_service", "_admin")}`);
    const url = urlOf(db.name, login);
    await query(
      url,
      "select api_keys_create('key_by_admin', sha256('by admin'), 'shop', 'xxxx', '{read,write}', 'cli:alice')",
    );
    expect(await query(url, "select api_keys_revoke('key_by_admin', 'cli:bob') as was_in_force")).toEqual([
      { was_in_force: true },
    ]);
    expect(await query(url, "select api_keys_revoke('key_by_admin', 'cli:bob') as was_in_force")).toEqual([
      { was_in_force: false },
    ]);
    expect(
      await db.asOwner(
        "select actor, action, after from audit_log where subject_id = 'key_by_admin' order by audit_id",
      ),
    ).toEqual([
      {
        actor: "cli:alice",
        action: "api_key.create",
        after: { name: "shop", scopes: ["read", "write"], login },
      },
      { actor: "cli:bob", action: "api_key.revoke", after: { revoked_at: expect.any(String), login } },
    ]);
    for (const statement of [
      `insert into api_keys ${keyColumns}`,
      "select key_hash from api_keys",
      "select * from payment_orders",
      "insert into audit_log (actor) values ('x')",
    ]) {
      await expect(query(url, statement)).rejects.toMatchObject(refused);
    }
  });

  test.for([
    null,
    "",
    " ",
    "cli:",
    "cli: ",
    "cli:\n",
    "cli:alice\nroot",
    "alice",
    `cli:${"a".repeat(300)}`,
    "key:key_1",
  ])("nobody is made or revoked without a named admin, the owner included: %j", async (admin) => {
    await expect(
      db.asOwner("select api_keys_create('key_nobody', sha256('nobody'), 'x', 'xxxx', '{read}', $1)", [
        admin,
      ]),
    ).rejects.toMatchObject({ code: "22023" });
    await expect(db.asOwner("select api_keys_revoke('key_nobody', $1)", [admin])).rejects.toMatchObject({
      code: "22023",
    });
    expect(
      await db.asOwner(
        "select 1 from api_keys where key_id = 'key_nobody' union all select 1 from audit_log where subject_id = 'key_nobody'",
      ),
    ).toEqual([]);
  });

  test("`pacioli keys` works with the owner's login and names who ran it, and with the service's is refused", async () => {
    const made = await runMain(["keys", "create", "shop", "--as", "carol"], {
      DATABASE_URL: db.service_url,
      MIGRATION_DATABASE_URL: db.url,
    });
    expect(made).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^sk_\w+\nkey_\w+ with read,write|^sk_.+\nkey_\w+ with read, write/),
    });
    const keyId = /key_\w+/.exec(made.stdout)?.[0];
    expect(await db.asOwner("select actor, action from audit_log where subject_id = $1", [keyId])).toEqual([
      { actor: "cli:carol", action: "api_key.create" },
    ]);
    expect(await runMain(["keys", "create", "shop"], { DATABASE_URL: db.service_url })).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("permission denied"),
    });
  });

  test("commands that get the wrong login, or none that the server takes, say which variable to set", async () => {
    const wrong = new URL(db.url);
    wrong.password = "wrong";
    const keys = ["keys", "create", "shop", "--as", "carol"];
    for (const [args, environment, stderr] of [
      [
        keys,
        { DATABASE_URL: db.service_url },
        /^This login may not make API keys .*: set MIGRATION_DATABASE_URL to/,
      ],
      [
        ["migrate"],
        { DATABASE_URL: db.service_url },
        /^The login ".*" may not change the schema: set MIGRATION_/,
      ],
      [
        ["migrate"],
        { MIGRATION_DATABASE_URL: wrong.href },
        /^PostgreSQL refused.*Correct MIGRATION_DATABASE_URL\.$/,
      ],
      [
        keys,
        { MIGRATION_DATABASE_URL: wrong.href },
        /^PostgreSQL refused.*Correct MIGRATION_DATABASE_URL\.$/,
      ],
      [
        ["verify"],
        { DATABASE_URL: wrong.href },
        /^PostgreSQL refused.*Correct DATABASE_URL \(or the DB_… settings\)\.$/,
      ],
      [
        ["run"],
        { DATABASE_URL: wrong.href },
        /^PostgreSQL refused.*Correct DATABASE_URL \(or the DB_… settings\)\.$/,
      ],
    ] as const) {
      const ended = await runMain(args, environment);
      expect(ended).toMatchObject({ code: 1, stdout: "" });
      // One sentence, without a stack.
      expect(ended.stderr.trimEnd()).toMatch(stderr);
      expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});

function runMain(
  args: readonly string[],
  environment: Record<string, string>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../src/main.ts"), ...args], {
    env: { PATH: process.env["PATH"], LOG_LEVEL: "fatal", ...environment },
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (output.stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (output.stderr += String(chunk)));
  return new Promise((resolve) => child.once("exit", (code) => resolve({ code, ...output })));
}
