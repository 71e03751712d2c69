import { spawn } from "node:child_process";
import { open, readFile, rename, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnIdentity, type Account } from "./account.ts";
import { programPath, type Binaries } from "./binaries.ts";
import { askDataDirectory, makeSuperuserUrl } from "./connection.ts";
import { EmbeddedPostgresError, systemErrorCode } from "./embedded-error.ts";
import { chooseFreePort, isPortFree } from "./free-port.ts";
import { endOrphans } from "./orphans.ts";
import { readPostmasterFile } from "./postmaster-file.ts";
import { CHILD_ENV, isProcessAlive } from "./processes.ts";
import { giveToFolderOwner } from "./state-files.ts";

/** A server that runs and answers. */
export type RunningServer = { readonly process_id: number; readonly port: number };

/** All that one attempt to start the server needs. */
export type ServerPlan = {
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  readonly cluster_dir: string;
  readonly log_file: string;
  readonly password: string;
  readonly is_durable: boolean;
  readonly on_progress: (line: string) => void;
};

const POLL_MILLISECONDS = 20;
/** Replaying up to max_wal_size after a crash may take this long on a slow disk. */
const READY_TIMEOUT_SECONDS = 180;
const ORPHANS_TIMEOUT_SECONDS = 30;
const FAST_STOP_SECONDS = 10;
const MAX_LOG_BYTES = 10 * 1024 * 1024;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  shared_buffers: "256MB",
  max_wal_size: "4GB",
  checkpoint_timeout: "15min",
  jit: "off",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  timezone: "UTC",
  log_timezone: "UTC",
};

const NOT_DURABLE: Readonly<Record<string, string>> = { fsync: "off", full_page_writes: "off" };

/** Starts the server on `port`, or on another one when that is busy, and waits until it answers. */
export async function startServer(plan: ServerPlan, port: number | undefined): Promise<RunningServer> {
  let candidate = port !== undefined && (await isPortFree(port)) ? port : await chooseFreePort();
  if (port !== undefined && candidate !== port) plan.on_progress(`port ${port} is busy, taking ${candidate}`);
  const giveUpOnOrphans = performance.now() + ORPHANS_TIMEOUT_SECONDS * 1_000;
  for (let attempt = 1; ;) {
    const outcome = await tryToStart(plan, candidate);
    switch (outcome.result) {
      case "running":
        return outcome.server;
      case "port_taken":
        if (attempt++ >= 5) throw startFailure(plan, "found no free port", outcome.log);
        candidate = await chooseFreePort();
        break;
      case "orphans":
        // Idle backends of a killed server end within moments; one that is busy computing would not notice
        // for long.
        if (performance.now() > giveUpOnOrphans)
          throw startFailure(plan, "found processes of an old one", outcome.log);
        await sleep(250);
        await endOrphans(plan.cluster_dir);
        break;
      case "failed":
        throw startFailure(plan, outcome.reason, outcome.log);
      default:
        outcome satisfies never;
    }
  }
}

type StartOutcome =
  | { result: "running"; server: RunningServer }
  | { result: "port_taken" | "orphans"; log: string }
  | { result: "failed"; reason: string; log: string };

async function tryToStart(plan: ServerPlan, port: number): Promise<StartOutcome> {
  const logStart = await prepareLog(plan.log_file);
  const child = await spawnServer(plan, port);
  const deadline = performance.now() + READY_TIMEOUT_SECONDS * 1_000;
  while (!child.hasEnded()) {
    const file = await readPostmasterFile(plan.cluster_dir);
    if (file?.process_id === child.process_id && file.port !== undefined && file.status === "ready") {
      const { answer } = await askDataDirectory(makeSuperuserUrl(file.port, plan.password));
      if (answer === "is")
        return { result: "running", server: { process_id: child.process_id, port: file.port } };
      if (answer === "refused_password") {
        await stopServer(child.process_id);
        return { result: "failed", reason: "does not accept the password in postgres-password", log: "" };
      }
    }
    if (performance.now() > deadline) {
      await stopServer(child.process_id);
      const log = await readLog(plan.log_file, logStart);
      return { result: "failed", reason: `was not ready within ${READY_TIMEOUT_SECONDS} s`, log };
    }
    await sleep(POLL_MILLISECONDS);
  }
  const log = await readLog(plan.log_file, logStart);
  if (/could not (bind|create any TCP\/IP sockets)/.test(log)) return { result: "port_taken", log };
  if (log.includes("shared memory block") && log.includes("still in use")) return { result: "orphans", log };
  return { result: "failed", reason: "ended at once", log };
}

type ServerChild = { readonly process_id: number; hasEnded(): boolean };

/**
 * Starts the program in a process group of its own, so that Ctrl-C reaches us and not, before we drained, it.
 */
async function spawnServer(plan: ServerPlan, port: number): Promise<ServerChild> {
  const settings = { ...SETTINGS, ...(plan.is_durable ? {} : NOT_DURABLE), port: String(port) };
  const args = ["-D", plan.cluster_dir];
  for (const [name, value] of Object.entries(settings)) args.push("-c", `${name}=${value}`);
  const log = await open(plan.log_file, "a", 0o600);
  try {
    const child = spawn(programPath(plan.binaries.native_dir, "postgres"), args, {
      cwd: "/",
      env: CHILD_ENV,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      ...spawnIdentity(plan.account),
    });
    let ended = false;
    child.once("exit", () => {
      ended = true;
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
    if (child.pid === undefined) throw new Error("a started process has an id");
    return { process_id: child.pid, hasEnded: () => ended };
  } catch (error) {
    throw new EmbeddedPostgresError(
      `PostgreSQL could not be started from ${plan.binaries.native_dir}: ${String(error)}. ` +
        "Reinstall the dependencies, or set DATABASE_URL to a PostgreSQL of your own.",
      { cause: error },
    );
  } finally {
    await log.close();
  }
}

/**
 * Stops a server: fast shutdown (sessions end, everything is written), and after 10 s an immediate one, which
 * the next start recovers from.
 */
export async function stopServer(processId: number): Promise<void> {
  signal(processId, "SIGINT");
  if (await waitForEnd(processId, FAST_STOP_SECONDS)) return;
  signal(processId, "SIGQUIT");
  if (await waitForEnd(processId, FAST_STOP_SECONDS)) return;
  throw new EmbeddedPostgresError(
    `PostgreSQL (process ${processId}) did not stop within ${2 * FAST_STOP_SECONDS} s. ` +
      "End it by hand: what was committed is safe.",
  );
}

/** Waits for a process to end; false when it still runs after `timeoutSeconds`. */
async function waitForEnd(processId: number, timeoutSeconds: number): Promise<boolean> {
  const deadline = performance.now() + timeoutSeconds * 1_000;
  while (await isProcessAlive(processId)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MILLISECONDS);
  }
  return true;
}

function signal(processId: number, name: "SIGINT" | "SIGQUIT"): void {
  try {
    process.kill(processId, name);
  } catch (error) {
    if (systemErrorCode(error) !== "ESRCH") throw error;
  }
}

/** Sets a large log aside and returns where the next server's lines will begin, in bytes. */
async function prepareLog(path: string): Promise<number> {
  await (await open(path, "a", 0o600)).close();
  await giveToFolderOwner(path);
  const { size } = await stat(path);
  if (size <= MAX_LOG_BYTES) return size;
  await rename(path, `${path}.1`);
  return prepareLog(path);
}

async function readLog(path: string, fromByte: number): Promise<string> {
  return (await readFile(path)).subarray(fromByte).toString("utf8");
}

function startFailure(plan: ServerPlan, reason: string, log: string): EmbeddedPostgresError {
  const lastLines = log.trim().split("\n").slice(-15).join("\n");
  return new EmbeddedPostgresError(
    `The embedded PostgreSQL ${reason}. Its log, ${plan.log_file}, ends with:\n${lastLines}\n` +
      "Correct what it names and start again, or set DATABASE_URL to a PostgreSQL of your own.",
  );
}
