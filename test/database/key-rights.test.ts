import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { makeLogin, query, refused, runMain, urlOf } from "../support/logins.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

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
    const login = await makeLogin(db, `in role ${db.service_role.replace("_service", "_admin")}`);
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
