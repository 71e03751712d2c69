import { join } from "node:path";
import { readIfPresent, writeAtomically } from "./state-files.ts";
import { isProcessAlive, readCommandLine, readWorkingFolder } from "./processes.ts";

/**
 * What `postmaster.pid` in the cluster says. The line order is PostgreSQL's (src/include/utils/pidfile.h):
 * process id, data directory, start time, port, socket folder, listen address, shared memory, status.
 */
export type PostmasterFile = {
  readonly process_id: number;
  readonly port: number | undefined;
  readonly status: string;
};

/** Larger than any process id a system gives out, so nothing ever runs under it. */
const IMPOSSIBLE_PROCESS_ID = 2_147_483_646;

/**
 * Reads `postmaster.pid`, or undefined when there is none. An empty or cut one, as a power cut leaves it,
 * names a process that cannot exist.
 */
export async function readPostmasterFile(clusterDir: string): Promise<PostmasterFile | undefined> {
  const lines = (await readIfPresent(join(clusterDir, "postmaster.pid")))?.split("\n");
  if (lines === undefined) return undefined;
  const processId = Number(lines[0]);
  const port = Number(lines[3]);
  return {
    process_id: Number.isSafeInteger(processId) && processId > 0 ? processId : IMPOSSIBLE_PROCESS_ID,
    port: Number.isSafeInteger(port) && port > 0 ? port : undefined,
    status: lines[7]?.trim() ?? "",
  };
}

/**
 * Whether the process that the file names is the server of this cluster, as far as the system shows command
 * lines.
 */
export async function isPostmasterAlive(clusterDir: string, file: PostmasterFile): Promise<boolean> {
  if (!(await isProcessAlive(file.process_id))) return false;
  const command = await readCommandLine(file.process_id);
  if (command === undefined || command.includes(`/postgres -D ${clusterDir} -c`)) return true;
  // The data folder was moved while the server ran: its command line still names the old place.
  return command.includes("/postgres -D ") && (await readWorkingFolder(file.process_id)) === clusterDir;
}

/**
 * Makes PostgreSQL see a stale file as stale, although an unrelated process now has the id in it. The file is
 * kept and only its id replaced: it also names the shared memory, which PostgreSQL checks for orphans of the
 * killed server before it takes the cluster. Deleting the file would skip that check.
 */
export async function disownPostmasterFile(clusterDir: string): Promise<void> {
  const path = join(clusterDir, "postmaster.pid");
  const text = await readIfPresent(path);
  if (text === undefined) return;
  const rest = text.indexOf("\n");
  await writeAtomically(path, `${IMPOSSIBLE_PROCESS_ID}${rest === -1 ? "\n" : text.slice(rest)}`, 0o600);
}
