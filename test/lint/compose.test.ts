import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { migrateDatabase } from "../../src/cli/migrate.ts";
import { loadConfig } from "../../src/config/config.ts";
import { checkLogin, checkSchema } from "../../src/db/db.ts";
import { dropDatabase, onServer, serverUrl } from "../support/database.ts";

// There is no container engine in the tests: the file is read as one would read it, and what it runs is run
// without it.

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

type Service = {
  readonly image: string;
  readonly command?: readonly string[];
  readonly read_only: boolean;
  readonly tmpfs: readonly string[];
  readonly security_opt: readonly string[];
  readonly cap_drop: readonly string[];
  readonly cap_add?: readonly string[];
  readonly environment: Record<string, string>;
  readonly secrets: readonly string[];
  readonly networks: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly privileged?: boolean;
};
type Compose = {
  readonly services: Record<"postgres" | "migrate" | "server" | "worker", Service>;
  readonly networks: Record<string, { internal?: boolean } | null>;
  readonly secrets: Record<string, { file: string }>;
};

const compose = parse(read("compose.yaml"), { merge: true }) as Compose;
const { postgres, migrate, server, worker } = compose.services;

/** `${NAME:-default}` as Compose reads it, with these variables: an empty one counts as not set. */
const interpolated = (text: string, variables: Record<string, string> = {}): string =>
  text.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_all, name: string, fallback: string) => {
    const { [name]: value = "" } = variables;
    return value === "" ? fallback : value;
  });

test("every container is read-only, without new privileges and without capabilities but those that PostgreSQL starts with", () => {
  expect(Object.keys(compose.services).toSorted()).toEqual(["migrate", "postgres", "server", "worker"]);
  for (const service of Object.values(compose.services)) {
    expect(service).toMatchObject({
      read_only: true,
      security_opt: ["no-new-privileges:true"],
      cap_drop: ["ALL"],
      tmpfs: expect.arrayContaining(["/tmp"]),
    });
    expect(service.privileged).toBeUndefined();
  }
  for (const service of [migrate, server, worker]) expect(service.cap_add).toBeUndefined();
  expect(postgres.cap_add).toEqual(["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]);
});

test("each container gets its own secrets, as files, and none stands in the file or in a variable", () => {
  expect(migrate.secrets).toEqual(["owner_password"]);
  for (const service of [server, worker])
    expect(service.secrets).toEqual([
      "service_password",
      "secret_key",
      "stripe_secret_key",
      "stripe_webhook_secrets",
    ]);
  for (const [name, service] of Object.entries(compose.services)) {
    for (const secret of service.secrets)
      expect(compose.secrets[secret]?.file, name).toBe(`./secrets/${secret}`);
    for (const [variable, value] of Object.entries(service.environment)) {
      if (/PASSWORD|SECRET|KEY/.test(variable))
        expect([variable, value]).toEqual([
          expect.stringMatching(/_FILE$/),
          expect.stringMatching(/^\/run\/secrets\//),
        ]);
      const file = /^\/run\/secrets\/(.*)$/.exec(value)?.[1];
      if (file !== undefined) expect(service.secrets, name).toContain(file);
    }
  }
  expect(read(".gitignore").split("\n")).toContain("secrets/");
});

test("the migrations have the owner's login, the service its own, and the database is on a network that leads nowhere", () => {
  expect(migrate.environment).toMatchObject({ DB_USER: "pacioli_owner", DB_NAME: "pacioli" });
  for (const service of [server, worker])
    expect(service.environment).toMatchObject({ DB_USER: "pacioli_app", DB_NAME: "pacioli" });
  expect(compose.networks["database"]).toEqual({ internal: true });
  for (const service of [postgres, migrate]) expect(service.networks).toEqual(["database"]);
  expect(postgres.ports).toBeUndefined();
  expect(server.ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:/)]);
});

test("images are pinned to an exact version, and the image's Node is the one that the tests run under", () => {
  expect(postgres.image).toMatch(/^postgres:\d+\.\d+(@sha256:[0-9a-f]{64})?$/);
  expect(/^FROM (\S+)$/m.exec(read("Dockerfile"))?.[1]).toMatch(
    new RegExp(`^node:${process.versions.node}-slim(@sha256:[0-9a-f]{64})?$`),
  );
});

test("the containers' settings start production, with what .env.example and the secrets say", () => {
  const secrets: Record<string, string> = {
    service_password: "p@ss/w:rd",
    secret_key: randomBytes(32).toString("hex"),
    stripe_secret_key: `sk_live_${randomBytes(24).toString("hex")}`,
    stripe_webhook_secrets: `whsec_${randomBytes(24).toString("base64")}`,
  };
  const environment = Object.fromEntries(
    Object.entries(server.environment).map(([name, written]) => {
      const value = interpolated(written);
      const file = /^\/run\/secrets\/(.*)$/.exec(value)?.[1];
      return file === undefined ? [name, value] : [name.replace(/_FILE$/, ""), secrets[file] ?? ""];
    }),
  );
  expect(loadConfig("production", environment)).toMatchObject({
    database_url: "postgres://pacioli_app:p%40ss%2Fw%3Ard@postgres:5432/pacioli",
    host: "0.0.0.0",
    operations: { host: "127.0.0.1" },
    secret_key: secrets["secret_key"],
  });
  const host = server.environment["OPERATIONS_HOST"] ?? "";
  expect(interpolated(host, { OPERATIONS_HOST: "0.0.0.0" })).toBe("0.0.0.0");
});

const name = `test_compose_${randomBytes(4).toString("hex")}`;
afterAll(async () => {
  await dropDatabase(serverUrl(), name);
  await onServer(serverUrl(), `drop role if exists ${name}_owner`);
});

test("the script that makes the logins lets an owner migrate that may make neither roles nor databases, and a service start", async () => {
  const password = "it's a 'password'";
  const statements = read("deploy/init-database.sql")
    .split("\n")
    .filter((line) => !line.startsWith("\\"))
    .join("\n")
    .replaceAll(/:'(\w+)_password'/g, pg.escapeLiteral(password))
    .replaceAll("pacioli", name);
  for (const statement of statements.split(/;$/m).filter((text) => /^create/m.test(text)))
    await onServer(serverUrl(), statement);
  const urlOf = (login: string): string => {
    const url = new URL(serverUrl());
    Object.assign(url, {
      username: `${name}_${login}`,
      password: encodeURIComponent(password),
      pathname: `/${name}`,
    });
    return url.toString();
  };
  await migrateDatabase(urlOf("owner"));
  await checkLogin(urlOf("app"));
  await checkSchema(urlOf("app"));
  await expect(checkLogin(urlOf("owner"))).rejects.toThrow("owns the schema");
});
