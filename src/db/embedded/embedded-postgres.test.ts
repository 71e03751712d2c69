import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, chown, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  kill,
  openEmbeddedServers,
  query,
  type EmbeddedServers,
} from "../../../test/support/embedded-servers.ts";
import { ensureDatabase, type EmbeddedPostgres } from "./embedded-postgres.ts";
import { isProcessAlive } from "./processes.ts";

let embedded: EmbeddedServers;
beforeAll(async () => {
  embedded = await openEmbeddedServers();
});
afterAll(() => embedded.close());

describe("one data folder through its life", () => {
  let server: EmbeddedPostgres;
  const dataDir = (): string => join(embedded.base, "life", ".pacioli");
  const cluster = (): string => join(dataDir(), "postgres");

  test("a first start makes a durable UTF-8 cluster that answers on 127.0.0.1", async () => {
    await mkdir(dataDir(), { recursive: true });
    await mkdir(join(dataDir(), "postgres-initdb-interrupted", "cluster"), { recursive: true });
    await writeFile(join(dataDir(), "postgres-start.lock"), '{"process_id":2147483646,"fingerprint":"gone"}');
    server = await embedded.start(dataDir());
    expect(server.is_owner).toBe(true);
    expect(new URL(server.superuser_url).port).toBe(String(server.port));
    const settings =
      "'fsync','synchronous_commit','server_encoding','listen_addresses','unix_socket_directories'";
    const asked = `name in (${settings}, 'TimeZone', 'jit', 'max_connections')`;
    const sql = `select json_object_agg(name, setting) as value from pg_settings where ${asked}`;
    expect(await query(server, sql)).toEqual({
      fsync: "on",
      synchronous_commit: "on",
      server_encoding: "UTF8",
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      TimeZone: "UTC",
      jit: "off",
      max_connections: "200",
    });
    const locale = "select datlocale as value from pg_database where datname = 'postgres'";
    expect(await query(server, locale)).toBe("C.UTF-8");
    await expect(stat(join(dataDir(), "postgres-initdb-interrupted"))).rejects.toThrow("ENOENT");
    await query(server, "create table kept as select 42 as value");
  });

  test("the password is random, asked for, and readable by its owner only", async () => {
    expect((await stat(join(dataDir(), "postgres-password"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir(), "postgres.log"))).mode & 0o777).toBe(0o600);
    expect((await stat(cluster())).mode & 0o777).toBe(0o700);
    const wrong = new URL(server.superuser_url);
    wrong.password = "guess";
    const attempt = query({ superuser_url: wrong.href }, "select 1 as value");
    await expect(attempt).rejects.toThrow("password authentication failed");
  });

  test("a second start joins the running server and its stop leaves it running", async () => {
    const second = await embedded.start(dataDir());
    expect(second).toMatchObject({ process_id: server.process_id, port: server.port, is_owner: false });
    await second.stop();
    expect(await query(server, "select value from kept")).toBe(42);
  });

  test("many callers may ensure one database at once", async () => {
    await Promise.all(Array.from({ length: 8 }, () => ensureDatabase(server.superuser_url, 'odd "name"')));
    const count = `select count(*)::int as value from pg_database where datname = 'odd "name"'`;
    expect(await query(server, count)).toBe(1);
  });

  test("stop ends the server, may be repeated, and the data is there at the next start", async () => {
    await Promise.all([server.stop(), server.stop()]);
    expect(await isProcessAlive(server.process_id)).toBe(false);
    server = await embedded.start(dataDir());
    expect(server.is_owner).toBe(true);
    expect(await query(server, "select value from kept")).toBe(42);
  });

  test("a server killed with kill -9 while a query computes is recovered with its data", async () => {
    await query(server, "update kept set value = 43");
    const endless = query(server, "do $$ begin loop end loop; end $$").catch(() => undefined);
    const computing = "select count(*)::int as value from pg_stat_activity where query like 'do $%'";
    await expect.poll(() => query(server, computing)).toBe(1);
    process.kill(server.process_id, "SIGKILL");
    server = await embedded.start(dataDir());
    expect(await query(server, "select value from kept")).toBe(43);
    await endless;
  });

  test("a stale postmaster.pid whose id now belongs to another process of the same account is overcome", async () => {
    const file = join(cluster(), "postmaster.pid");
    const text = await readFile(file, "utf8");
    const { uid, gid } = await stat(cluster());
    await server.stop();
    const foreign = spawn("sleep", ["60"], { uid, gid, cwd: "/" });
    embedded.children.add(foreign);
    await once(foreign, "spawn");
    await writeFile(file, text.replace(/^\d+/, String(foreign.pid)), { mode: 0o600 });
    await chown(file, uid, gid);
    server = await embedded.start(dataDir());
    expect(await query(server, "select value from kept")).toBe(43);
    expect(foreign.exitCode).toBeNull();
    await kill(foreign);
  });

  test("an empty postmaster.pid, as a power cut leaves it, is overcome", async () => {
    const { uid, gid } = await stat(cluster());
    await server.stop();
    await writeFile(join(cluster(), "postmaster.pid"), "", { mode: 0o600 });
    await chown(join(cluster(), "postmaster.pid"), uid, gid);
    server = await embedded.start(dataDir());
    expect(await query(server, "select value from kept")).toBe(43);
  });

  test("a busy port is avoided, and the port in use is told", async () => {
    await server.stop();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const busy = typeof address === "object" && address !== null ? address.port : 0;
    server = await embedded.start(dataDir(), busy);
    expect(server.port).not.toBe(busy);
    expect(await query(server, "select current_setting('port')::int as value")).toBe(server.port);
    other.close();
    await server.stop();
    server = await embedded.start(dataDir(), busy);
    expect(server.port).toBe(busy);
  });

  test("a server whose starter was killed is adopted, one whose starter lives is only joined", async () => {
    await server.stop();
    const elsewhere = await embedded.startElsewhere(dataDir());
    const joined = await embedded.start(dataDir());
    expect(joined).toMatchObject({ process_id: elsewhere.process_id, is_owner: false });
    await kill(elsewhere.starter);
    server = await embedded.start(dataDir());
    expect(server).toMatchObject({ process_id: elsewhere.process_id, is_owner: true });
    await server.stop();
    expect(await isProcessAlive(server.process_id)).toBe(false);
  });

  test("a failed start shows the last lines of the log", async () => {
    const config = join(cluster(), "postgresql.conf");
    const before = await readFile(config, "utf8");
    await appendFile(config, "\nno_such_setting = 1\n");
    await expect(embedded.start(dataDir())).rejects.toThrow(
      /unrecognized configuration parameter "no_such_setting"/,
    );
    await writeFile(config, before);
  });

  test("a missing password or a damaged cluster is told, never replaced by an empty database", async () => {
    const password = await readFile(join(dataDir(), "postgres-password"), "utf8");
    await rm(join(dataDir(), "postgres-password"));
    await expect(embedded.start(dataDir())).rejects.toThrow(/postgres-password is missing/);
    await writeFile(join(dataDir(), "postgres-password"), password);
    await rm(join(cluster(), "global", "pg_control"));
    await expect(embedded.start(dataDir())).rejects.toThrow(/not a whole PostgreSQL cluster/);
  });
});

test("a data folder that cannot be used is told", async () => {
  await writeFile(join(embedded.base, "file"), "");
  await expect(embedded.start(join(embedded.base, "file", ".pacioli"))).rejects.toThrow(
    /cannot be used \(E[A-Z]+\).*PACIOLI_DATA_DIR/,
  );
});
