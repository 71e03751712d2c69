import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import type { Account } from "../../src/db/embedded/account.ts";
import { startEmbeddedPostgres, type EmbeddedPostgres } from "../../src/db/embedded/embedded-postgres.ts";
import {
  identifyProcess,
  isSameProcessAlive,
  type ProcessIdentity,
} from "../../src/db/embedded/processes.ts";
import { stopServer } from "../../src/db/embedded/server.ts";

export type ServerElsewhere = EmbeddedPostgres & { readonly starter: ChildProcess };
export type Places = { native_dir?: string; fallback_roots?: readonly string[] };

/** Servers of the test's own below one folder; closing ends them and their starters, and removes the folder. */
export type EmbeddedServers = {
  readonly base: string;
  /** Processes that end with the test. */
  readonly children: Set<ChildProcess>;
  start(dataDir: string, port?: number, places?: Places): Promise<EmbeddedPostgres>;
  /** Starts the server from another process, which prints what it got and then lives until it is killed. */
  startElsewhere(dataDir: string, account?: Account): Promise<ServerElsewhere>;
  close(): Promise<void>;
};

export async function openEmbeddedServers(): Promise<EmbeddedServers> {
  const started: ProcessIdentity[] = [];
  const children = new Set<ChildProcess>();
  const base = await mkdtemp(join(tmpdir(), "embedded-postgres-"));
  await chmod(base, 0o755);

  async function start(dataDir: string, port?: number, places: Places = {}): Promise<EmbeddedPostgres> {
    const options = { data_dir: dataDir, ...(port === undefined ? {} : { port }) };
    const server = await startEmbeddedPostgres(options, {
      fallback_roots: [join(base, "fallback")],
      ...places,
    });
    started.push(await identifyProcess(server.process_id));
    return server;
  }

  async function startElsewhere(dataDir: string, account?: Account): Promise<ServerElsewhere> {
    const door = new URL("../../src/db/embedded/embedded-postgres.ts", import.meta.url).href;
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

  async function close(): Promise<void> {
    for (const child of children) child.kill("SIGKILL");
    for (const server of started) {
      if (await isSameProcessAlive(server)) await stopServer(server.process_id);
    }
    await rm(base, { recursive: true, force: true });
  }

  return { base, children, start, startElsewhere, close };
}

export async function query(server: { superuser_url: string }, sql: string): Promise<unknown> {
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

export async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
