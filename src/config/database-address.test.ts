import pg from "pg";
import { describe, expect, test } from "vitest";
import { faultsOf, production } from "../../test/support/settings.ts";
import { loadConfig } from "./config.ts";

describe("the way to the database", () => {
  const urlOf = (environment: Record<string, string>): string | undefined =>
    loadConfig("development", environment).database_url;

  test.each([
    "postgres://u:p@127.0.0.1:5432/pacioli",
    "postgres://u:p@localhost/pacioli",
    "postgres://u:p@[::1]:5432/pacioli",
    "postgres://127.9.9.9/x?sslmode=disable",
    "postgres:///pacioli?host=/var/run/postgresql",
    "postgres://u@/pacioli?host=/var/run/postgresql",
    "postgres://u@%2Fvar%2Frun%2Fpostgresql/pacioli",
    "socket:/var/run?db=x",
  ])("is left as it is on this machine: %s", (url) => {
    expect(urlOf({ DATABASE_URL: url })).toBe(url);
  });

  test.each([
    "",
    "?sslmode=require",
    "?sslmode=verify-ca",
    "?sslmode=verify-full",
    "?uselibpqcompat=true&sslmode=require",
  ])("is encrypted and the server verified through a network: %s", (query) => {
    const base = "postgres://pacioli_app:p%40ss%2Fw%3Ard@db.example:5432/pacioli";
    for (const url of [
      urlOf({ DATABASE_URL: base + query }),
      loadConfig("production", { ...production, DATABASE_URL: base + query }).database_url,
    ]) {
      expect(url).toBe(`${base}?sslmode=verify-full`);
      expect(new pg.Client({ connectionString: url })).toMatchObject({
        user: "pacioli_app",
        host: "db.example",
        password: "p@ss/w:rd",
        ssl: {},
      });
    }
  });

  test.each([
    "postgres://u:hunter2@127.0.0.1/pacioli?options=-c%20synchronous_commit%3Doff",
    "postgres://u:hunter2@db.example/pacioli?sslmode=verify-full&%6fptions=-c%20TimeZone%3DEurope/Paris",
    "postgres://u:hunter2@/pacioli?host=/var/run/postgresql&options=",
    "socket:/var/run?db=x&options=-c%20search_path%3Dmine",
  ])("takes no options that replace those of the service's sessions: %s", (url) => {
    for (const name of ["DATABASE_URL", "MIGRATION_DATABASE_URL"]) {
      const faults = faultsOf("development", { [name]: url });
      expect(faults).toEqual([expect.stringMatching(new RegExp(`^${name}: its options= .*durable commits`))]);
      expect(faults.join()).not.toContain("hunter2");
    }
  });

  test.each([
    "?sslmode=disable",
    "?sslmode=prefer",
    "?sslmode=allow",
    "?sslmode=no-verify",
    "?ssl=0",
    "?ssl=true",
    "?sslmode=",
  ])("is refused through a network when the URL leaves it open: %s", (query) => {
    const url = `postgres://u:hunter2@db.example/pacioli${query}`;
    for (const name of ["DATABASE_URL", "MIGRATION_DATABASE_URL"]) {
      const faults = faultsOf("development", { [name]: url });
      expect(faults).toEqual([
        expect.stringMatching(new RegExp(`^${name}: .*db\\.example.*verify-full.*DATABASE_TLS=off`)),
      ]);
      expect(faults.join()).not.toContain("hunter2");
    }
  });

  test.each([
    "postgres://u@db.example/x?host=127.0.0.1",
    "postgres://u@127.0.0.1.evil.example/x",
    "postgres://u@localhost.example/x",
    "postgres://u@127.0.0.1/x?host=db.example",
  ])("is judged by the host that the driver connects to: %s", (url) => {
    const { host } = new pg.Client({ connectionString: url });
    expect(urlOf({ DATABASE_URL: url })?.includes("sslmode=verify-full")).toBe(host !== "127.0.0.1");
  });

  const hostless = [
    "postgres://u:p@/pacioli",
    "postgres:///pacioli?user=u&password=p",
    "postgres://u:p@/x?host=",
  ];
  test.each(hostless)("without a host goes where PGHOST says, and is encrypted there: %s", (url) => {
    expect(urlOf({ DATABASE_URL: url })).toBe(url);
    for (const here of ["127.0.0.1", "localhost", "/var/run/postgresql"])
      expect(urlOf({ DATABASE_URL: url, PGHOST: here })).toBe(url);
    const secured = urlOf({ DATABASE_URL: url, PGHOST: "db.example" });
    expect(new pg.Client({ connectionString: secured })).toMatchObject({
      host: "db.example",
      user: "u",
      password: "p",
      ssl: {},
    });
    expect(urlOf({ DATABASE_URL: url, PGHOST: "2001:db8::7" })).toContain("[2001:db8::7]/");
    expect(faultsOf("development", { MIGRATION_DATABASE_URL: url, PGHOST: "127.0.0.1,db.example" })).toEqual([
      expect.stringMatching(/^MIGRATION_DATABASE_URL: names several hosts/),
    ]);
  });

  test("keeps the host that the URL names, whatever PGHOST says", () => {
    const url = "postgres://u:p@127.0.0.1/pacioli";
    expect(urlOf({ DATABASE_URL: url, PGHOST: "db.example" })).toBe(url);
  });

  test.each([
    "socket:10.0.0.7?db=pacioli&user=u",
    "socket:db.example/?db=p",
    "SOCKET:10.0.0.7?db=p",
    "socket:?db=p",
  ])("is no socket without an absolute path, which the driver takes for a host: %s", (url) => {
    for (const tls of ["verify", "off"])
      expect(faultsOf("production", { ...production, DATABASE_URL: url, DATABASE_TLS: tls })).toEqual([
        expect.stringMatching(/^DATABASE_URL: socket: needs an absolute path/),
      ]);
  });

  test("is left open by name only: DATABASE_TLS=off", () => {
    const url = "postgres://u:p@db.example/pacioli";
    expect(urlOf({ DATABASE_URL: url, DATABASE_TLS: "off" })).toBe(url);
    expect(urlOf({ DATABASE_URL: url, DATABASE_TLS: "verify" })).toBe(`${url}?sslmode=verify-full`);
    for (const value of ["false", "no", "OFF", "disable"])
      expect(faultsOf("development", { DATABASE_TLS: value })).toEqual([
        expect.stringMatching(/^DATABASE_TLS: /),
      ]);
  });

  test("holds for the owner's login too, and for the settings in parts", () => {
    const config = loadConfig("development", {
      DB_HOST: "db.example",
      MIGRATION_DATABASE_URL: "postgres://owner@db.example/pacioli",
    });
    expect(config.database_url).toBe(
      "postgres://pacioli:@db.example:5432/pacioli?sslmode=verify-full".replace(":@", "@"),
    );
    expect(config.migration_database_url).toBe("postgres://owner@db.example/pacioli?sslmode=verify-full");
  });
});

test("the five database settings make a URL, with what needs it escaped; DATABASE_URL wins", () => {
  const parts = {
    DB_HOST: "db",
    DB_PORT: "5433",
    DB_NAME: "books",
    DB_USER: "pa@cioli",
    DB_PASSWORD: "p/w:d",
  };
  expect(loadConfig("development", parts).database_url).toBe(
    "postgres://pa%40cioli:p%2Fw%3Ad@db:5433/books?sslmode=verify-full",
  );
  expect(loadConfig("development", { ...parts, DATABASE_URL: "postgres://localhost/db" }).database_url).toBe(
    "postgres://localhost/db",
  );
});
