import { readdir } from "node:fs/promises";
import { systemErrorCode } from "./embedded-error.ts";
import { readCommandLine, readWorkingFolder } from "./processes.ts";

/**
 * Ends the backends that a killed server left behind: processes called `postgres: …` that work in this
 * cluster's folder. Safe only once their server is dead, when PostgreSQL recovers from its log anyway. Linux
 * only; elsewhere the start waits for them to end by themselves.
 */
export async function endOrphans(clusterDir: string): Promise<void> {
  if (process.platform !== "linux") return;
  for (const name of await readdir("/proc")) {
    const processId = Number(name);
    if (!Number.isSafeInteger(processId)) continue;
    if ((await readWorkingFolder(processId)) !== clusterDir) continue;
    if (!(await readCommandLine(processId))?.startsWith("postgres: ")) continue;
    try {
      process.kill(processId, "SIGKILL");
    } catch (error) {
      if (systemErrorCode(error) !== "ESRCH") throw error;
    }
  }
}
