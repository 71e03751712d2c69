import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { EmbeddedPostgresError, systemErrorCode } from "./embedded-error.ts";
import { identifyProcess, isSameProcessAlive } from "./processes.ts";
import { giveToFolderOwner, readIfPresent } from "./state-files.ts";

const POLL_MILLISECONDS = 40;
/**
 * A lock file is created and filled in two steps; one that stays unreadable this long was left by a crash.
 */
const UNREADABLE_GRACE_MILLISECONDS = 2_000;

/**
 * Takes the lock file `path`, waiting for a live holder. A lock whose holder died is taken over. Should two
 * starters ever hold it at once, PostgreSQL's own lock still admits a single server per cluster.
 *
 * @returns a function that gives the lock back
 * @throws EmbeddedPostgresError when a live process holds it for longer than `timeout_seconds`
 */
export async function acquireStartLock(path: string, timeoutSeconds: number): Promise<() => Promise<void>> {
  const self = await identifyProcess(process.pid);
  const content = JSON.stringify({ ...self, token: randomBytes(8).toString("hex") });
  const deadline = performance.now() + timeoutSeconds * 1_000;
  let unreadableSince: number | undefined;
  while (!(await createExclusively(path, content))) {
    const seen = await readIfPresent(path);
    const holder = seen === undefined ? undefined : parseHolder(seen);
    if (seen !== undefined && holder === undefined) unreadableSince ??= performance.now();
    else unreadableSince = undefined;
    const isUnreadableForLong =
      unreadableSince !== undefined && performance.now() - unreadableSince > UNREADABLE_GRACE_MILLISECONDS;
    if (
      seen !== undefined &&
      (isUnreadableForLong || (holder !== undefined && !(await isSameProcessAlive(holder))))
    ) {
      await removeStale(path, seen);
      continue;
    }
    if (performance.now() > deadline) throw heldTooLong(path, holder?.process_id, timeoutSeconds);
    await sleep(POLL_MILLISECONDS);
  }
  return async () => {
    if ((await readIfPresent(path)) === content) await rm(path, { force: true });
  };
}

async function createExclusively(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o644 });
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
  await giveToFolderOwner(path);
  return true;
}

/**
 * Removes the lock only if it is still the one judged stale; a newer one, grabbed by mistake, is put back.
 */
async function removeStale(path: string, staleContent: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, "utf8")) !== staleContent) await link(aside, path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

function parseHolder(text: string): { process_id: number; fingerprint: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    if (!("process_id" in value) || !("fingerprint" in value)) return undefined;
    const { process_id, fingerprint } = value;
    if (typeof process_id !== "number" || typeof fingerprint !== "string") return undefined;
    return { process_id, fingerprint };
  } catch {
    return undefined;
  }
}

function heldTooLong(path: string, processId: number | undefined, seconds: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `Process ${processId ?? "(unknown)"} has been starting or stopping the embedded PostgreSQL ` +
      `for ${seconds} s. Wait for it, or end that process and start again. (Lock: ${path})`,
  );
}
