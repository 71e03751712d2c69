import { execFile } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";
import { systemErrorCode } from "./embedded-error.ts";

const run = promisify(execFile);

/**
 * The whole environment of every program started here: nothing leaks in, messages are in English, times in
 * UTC.
 */
export const CHILD_ENV: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
};

/** Names one process for ever: its id, and a fingerprint of its start, because ids are reused. */
export type ProcessIdentity = { readonly process_id: number; readonly fingerprint: string };

/** Whether a process with this id runs. A zombie (dead, not yet collected by its parent) does not. */
export async function isProcessAlive(processId: number): Promise<boolean> {
  try {
    process.kill(processId, 0);
  } catch (error) {
    if (systemErrorCode(error) !== "EPERM") return false;
  }
  const fields = await readProcStat(processId);
  return fields?.[0] !== "Z";
}

/** The identity of a running process. The fingerprint is empty where the system does not tell start times. */
export async function identifyProcess(processId: number): Promise<ProcessIdentity> {
  const fields = await readProcStat(processId);
  const ticksSinceBoot = fields?.[19];
  if (ticksSinceBoot !== undefined) {
    const bootId = await readOptional("/proc/sys/kernel/random/boot_id");
    return { process_id: processId, fingerprint: `${bootId?.trim() ?? ""}/${ticksSinceBoot}` };
  }
  return { process_id: processId, fingerprint: (await askPs("lstart=", processId)) ?? "" };
}

/** Whether exactly this process still runs, and not a later one that was given the same id. */
export async function isSameProcessAlive(identity: ProcessIdentity): Promise<boolean> {
  if (!(await isProcessAlive(identity.process_id))) return false;
  const now = await identifyProcess(identity.process_id);
  return identity.fingerprint === "" || now.fingerprint === "" || identity.fingerprint === now.fingerprint;
}

/** The command line of a running process, or undefined where the system does not show it. */
export async function readCommandLine(processId: number): Promise<string | undefined> {
  const raw = await readOptional(`/proc/${processId}/cmdline`);
  if (raw !== undefined) return raw.replaceAll("\0", " ").trim();
  return askPs("command=", processId);
}

/** The folder that a running process works in, or undefined where the system does not show it. */
export async function readWorkingFolder(processId: number): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${processId}/cwd`);
  } catch {
    return undefined;
  }
}

/** The fields of /proc/<pid>/stat that follow the command's name; the first is the state. */
async function readProcStat(processId: number): Promise<string[] | undefined> {
  const text = await readOptional(`/proc/${processId}/stat`);
  // The name is in parentheses and may itself contain spaces and parentheses.
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

async function askPs(column: string, processId: number): Promise<string | undefined> {
  if (process.platform === "win32" || process.platform === "linux") return undefined;
  try {
    const { stdout } = await run("ps", ["-ww", "-o", column, "-p", String(processId)], { env: CHILD_ENV });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
