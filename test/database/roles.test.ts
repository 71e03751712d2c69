import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrateDatabase } from "../../src/cli/migrate.ts";
import { checkLogin, ensureServiceLogin, findRoles, withClient } from "../../src/db/db.ts";
import { rolesOfDatabase, withRoles } from "../../src/db/roles.ts";
import {
  createTestDatabase,
  dropDatabase,
  onServer,
  serverUrl,
  type TestDatabase,
} from "../support/database.ts";
import { query, refused, urlOf } from "../support/logins.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

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
