import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  appendFile,
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePasswd, runsAs, type Account } from "./account.ts";
import { findNativeDir } from "./binaries.ts";
import {
  EmbeddedPostgresError,
  ensureDatabase,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from "./embedded-postgres.ts";
import { identifyProcess, isProcessAlive, isSameProcessAlive, type ProcessIdentity } from "./processes.ts";
import { stopServer } from "./server.ts";

const isRoot = process.geteuid?.() === 0;
const started: ProcessIdentity[] = [];
const children = new Set<ChildProcess>();
let base = "";

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "embedded-postgres-"));
  await chmod(base, 0o755);
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const server of started) {
    if (await isSameProcessAlive(server)) await stopServer(server.process_id);
  }
  await rm(base, { recursive: true, force: true });
});

type ServerElsewhere = EmbeddedPostgres & { readonly starter: ChildProcess };
type Places = { native_dir?: string; fallback_roots?: readonly string[] };

async function start(dataDir: string, port?: number, places: Places = {}): Promise<EmbeddedPostgres> {
  const options = { data_dir: dataDir, ...(port === undefined ? {} : { port }) };
  const server = await startEmbeddedPostgres(options, {
    fallback_roots: [join(base, "fallback")],
    ...places,
  });
  started.push(await identifyProcess(server.process_id));
  return server;
}

async function query(server: { superuser_url: string }, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: server.superuser_url });
  // A killed server ends the connection once more, as an event.
  client.on("error", () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ value: unknown }>(sql);
    return rows[0]?.value;
  } finally {
    await client.end();
  }
}

/** Starts the server from another process, which prints what it got and then lives until it is killed. */
async function startElsewhere(dataDir: string, account?: Account): Promise<ServerElsewhere> {
  const door = new URL("embedded-postgres.ts", import.meta.url).href;
  const script =
    `const { startEmbeddedPostgres } = await import(${JSON.stringify(door)});` +
    `const server = await startEmbeddedPostgres({ data_dir: ${JSON.stringify(dataDir)} });` +
    "console.log(JSON.stringify(server)); setInterval(() => undefined, 1000);";
  const starter = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "pipe", "inherit"],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  children.add(starter);
  const line = await new Promise<string>((resolve, reject) => {
    let text = "";
    starter.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) resolve(text);
    });
    starter.once("exit", (code) => reject(new Error(`the starter ended with ${code}`)));
  });
  const server: EmbeddedPostgres = JSON.parse(line);
  started.push(await identifyProcess(server.process_id));
  return { ...server, starter };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

describe("one data folder through its life", () => {
  let server: EmbeddedPostgres;
  const dataDir = (): string => join(base, "life", ".pacioli");
  const cluster = (): string => join(dataDir(), "postgres");

  test("a first start makes a durable UTF-8 cluster that answers on 127.0.0.1", async () => {
    await mkdir(dataDir(), { recursive: true });
    await mkdir(join(dataDir(), "postgres-initdb-interrupted", "cluster"), { recursive: true });
    await writeFile(join(dataDir(), "postgres-start.lock"), '{"process_id":2147483646,"fingerprint":"gone"}');
    server = await start(dataDir());
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
    const second = await start(dataDir());
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
    server = await start(dataDir());
    expect(server.is_owner).toBe(true);
    expect(await query(server, "select value from kept")).toBe(42);
  });

  test("a server killed with kill -9 while a query computes is recovered with its data", async () => {
    await query(server, "update kept set value = 43");
    const endless = query(server, "do $$ begin loop end loop; end $$").catch(() => undefined);
    const computing = "select count(*)::int as value from pg_stat_activity where query like 'do $%'";
    await expect.poll(() => query(server, computing)).toBe(1);
    process.kill(server.process_id, "SIGKILL");
    server = await start(dataDir());
    expect(await query(server, "select value from kept")).toBe(43);
    await endless;
  });

  test("a stale postmaster.pid whose id now belongs to another process of the same account is overcome", async () => {
    const file = join(cluster(), "postmaster.pid");
    const text = await readFile(file, "utf8");
    const { uid, gid } = await stat(cluster());
    await server.stop();
    const foreign = spawn("sleep", ["60"], { uid, gid, cwd: "/" });
    children.add(foreign);
    await once(foreign, "spawn");
    await writeFile(file, text.replace(/^\d+/, String(foreign.pid)), { mode: 0o600 });
    await chown(file, uid, gid);
    server = await start(dataDir());
    expect(await query(server, "select value from kept")).toBe(43);
    expect(foreign.exitCode).toBeNull();
    await kill(foreign);
  });

  test("an empty postmaster.pid, as a power cut leaves it, is overcome", async () => {
    const { uid, gid } = await stat(cluster());
    await server.stop();
    await writeFile(join(cluster(), "postmaster.pid"), "", { mode: 0o600 });
    await chown(join(cluster(), "postmaster.pid"), uid, gid);
    server = await start(dataDir());
    expect(await query(server, "select value from kept")).toBe(43);
  });

  test("a busy port is avoided, and the port in use is told", async () => {
    await server.stop();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const busy = typeof address === "object" && address !== null ? address.port : 0;
    server = await start(dataDir(), busy);
    expect(server.port).not.toBe(busy);
    expect(await query(server, "select current_setting('port')::int as value")).toBe(server.port);
    other.close();
    await server.stop();
    server = await start(dataDir(), busy);
    expect(server.port).toBe(busy);
  });

  test("a server whose starter was killed is adopted, one whose starter lives is only joined", async () => {
    await server.stop();
    const elsewhere = await startElsewhere(dataDir());
    const joined = await start(dataDir());
    expect(joined).toMatchObject({ process_id: elsewhere.process_id, is_owner: false });
    await kill(elsewhere.starter);
    server = await start(dataDir());
    expect(server).toMatchObject({ process_id: elsewhere.process_id, is_owner: true });
    await server.stop();
    expect(await isProcessAlive(server.process_id)).toBe(false);
  });

  test("a failed start shows the last lines of the log", async () => {
    const config = join(cluster(), "postgresql.conf");
    const before = await readFile(config, "utf8");
    await appendFile(config, "\nno_such_setting = 1\n");
    await expect(start(dataDir())).rejects.toThrow(/unrecognized configuration parameter "no_such_setting"/);
    await writeFile(config, before);
  });

  test("a missing password or a damaged cluster is told, never replaced by an empty database", async () => {
    const password = await readFile(join(dataDir(), "postgres-password"), "utf8");
    await rm(join(dataDir(), "postgres-password"));
    await expect(start(dataDir())).rejects.toThrow(/postgres-password is missing/);
    await writeFile(join(dataDir(), "postgres-password"), password);
    await rm(join(cluster(), "global", "pg_control"));
    await expect(start(dataDir())).rejects.toThrow(/not a whole PostgreSQL cluster/);
  });
});

test("simultaneous starters of one fresh folder come up with one server and one owner", async () => {
  const dataDir = join(base, "race", ".pacioli");
  const servers = await Promise.all([
    start(dataDir),
    startElsewhere(dataDir),
    startElsewhere(dataDir),
    start(dataDir),
  ]);
  expect(new Set(servers.map((server) => server.superuser_url)).size).toBe(1);
  expect(servers.filter((server) => server.is_owner)).toHaveLength(1);
  expect(await query(servers[1], "select 7 as value")).toBe(7);
});

test("a data folder that cannot be used is told", async () => {
  await writeFile(join(base, "file"), "");
  await expect(start(join(base, "file", ".pacioli"))).rejects.toThrow(
    /cannot be used \(E[A-Z]+\).*PACIOLI_DATA_DIR/,
  );
});

test("a lock held by a live process is waited for, and then named", async () => {
  const { acquireStartLock } = await import("./start-lock.ts");
  const path = join(base, "a.lock");
  const release = await acquireStartLock(path, 1);
  await expect(acquireStartLock(path, 0.2)).rejects.toThrow(`Process ${process.pid}`);
  await release();
  await (
    await acquireStartLock(path, 0.2)
  )();
});

describe.skipIf(!isRoot)("root in a folder that only root can enter", () => {
  const closed = (): string => join(base, "closed");
  const dataDir = (): string => join(closed(), "project", ".pacioli");
  const fallback = (): string => join(base, "public");
  const places = (): Places => ({
    native_dir: join(closed(), "package", "native"),
    fallback_roots: [fallback()],
  });
  let server: EmbeddedPostgres;

  beforeAll(async () => {
    await mkdir(join(closed(), "package"), { recursive: true });
    await chmod(closed(), 0o700);
    const native = findNativeDir();
    await cp(native, join(closed(), "package", "native"), { recursive: true, verbatimSymlinks: true });
    await cp(join(native, "..", "package.json"), join(closed(), "package", "package.json"));
  });

  test("the server runs from a place that its account can reach, without root's rights", async () => {
    server = await start(dataDir(), undefined, places());
    await query(server, "create table kept as select 1 as value");
    const folder = String(await query(server, "select current_setting('data_directory') as value"));
    expect(folder.startsWith(fallback())).toBe(true);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(folder)).uid).not.toBe(0);
    expect((await stat(`/proc/${server.process_id}`)).uid).toBe((await stat(folder)).uid);
  });

  test("the next start finds the same data again", async () => {
    await server.stop();
    server = await start(dataDir(), undefined, places());
    expect(await query(server, "select value from kept")).toBe(1);
  });

  test("a place that vanished is told instead of starting an empty database", async () => {
    const folder = String(await query(server, "select current_setting('data_directory') as value"));
    await server.stop();
    const away = join(base, "away");
    await rename(folder, away);
    const failure = start(dataDir(), undefined, places());
    await expect(failure).rejects.toBeInstanceOf(EmbeddedPostgresError);
    await expect(failure).rejects.toThrow(/not there any more[^]*location\.json/);
    await rename(away, folder);
    server = await start(dataDir(), undefined, places());
    expect(await query(server, "select value from kept")).toBe(1);
  });

  test("after the data folder was deleted a new database is made and the old one set aside", async () => {
    const folder = String(await query(server, "select current_setting('data_directory') as value"));
    await rm(dataDir(), { recursive: true });
    const fresh = await start(dataDir(), undefined, places());
    expect(await isProcessAlive(server.process_id)).toBe(false);
    expect(await query(fresh, "select to_regclass('kept') as value")).toBeNull();
    expect((await stat(`${folder}-abandoned`)).isDirectory()).toBe(true);
    await fresh.stop();
  });
});

test("an ordinary user starts it, and root takes over what he made", async (context) => {
  if (!isRoot) return context.skip("not root: every other test already runs as an ordinary user");
  const nobody = parsePasswd(await readFile("/etc/passwd", "utf8")).find(
    (account) => account.name === "nobody",
  );
  if (nobody === undefined) return context.skip("there is no account called nobody");
  const script = `await import(${JSON.stringify(new URL("account.ts", import.meta.url).href)})`;
  const canReach = await runsAs(nobody, process.execPath, ["--input-type=module", "-e", script]);
  if (!canReach) return context.skip("the account nobody cannot reach Node or this checkout");
  const home = join(base, "ordinary");
  await mkdir(home);
  await chown(home, nobody.uid, nobody.gid);
  await chmod(home, 0o700);
  const elsewhere = await startElsewhere(join(home, ".pacioli"), nobody);
  expect((await stat(`/proc/${elsewhere.process_id}`)).uid).toBe(nobody.uid);
  await query(elsewhere, "create table kept as select 5 as value");
  await kill(elsewhere.starter);
  await (await start(join(home, ".pacioli"))).stop();
  const asRoot = await start(join(home, ".pacioli"));
  expect(await query(asRoot, "select value from kept")).toBe(5);
  await asRoot.stop();
  const again = await startElsewhere(join(home, ".pacioli"), nobody);
  expect(await query(again, "select value from kept")).toBe(5);
});

test("leaves the server to whoever is still connected, and the last one stops it", async () => {
  const dataDir = join(base, "shared");
  const first = await start(dataDir);
  const guest = new Client({ connectionString: first.superuser_url });
  await guest.connect();
  await first.stop();
  expect(await isProcessAlive(first.process_id)).toBe(true);
  expect((await guest.query<{ one: number }>("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await guest.end();
  const second = await start(dataDir);
  expect(second.process_id).toBe(first.process_id);
  await second.stop();
  expect(await isProcessAlive(first.process_id)).toBe(false);
});
