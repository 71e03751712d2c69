import { rm } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess, isSameProcessAlive } from "./processes.ts";
import { readJsonObject, writeAtomically } from "./state-files.ts";

/** Records this process as the one that stops the server. */
export async function becomeOwner(dataDir: string): Promise<void> {
  await writeAtomically(ownerFile(dataDir), JSON.stringify(await identifyProcess(process.pid)), 0o644);
}

/** Whether the process that owns the server still runs. */
export async function isOwnerAlive(dataDir: string): Promise<boolean> {
  const record = await readJsonObject(ownerFile(dataDir));
  const processId = record?.["process_id"];
  const fingerprint = record?.["fingerprint"];
  if (typeof processId !== "number" || typeof fingerprint !== "string") return false;
  return isSameProcessAlive({ process_id: processId, fingerprint });
}

/** Forgets the owner: the server was stopped. */
export async function forgetOwner(dataDir: string): Promise<void> {
  await rm(ownerFile(dataDir), { force: true });
}

function ownerFile(dataDir: string): string {
  return join(dataDir, "postgres-owner.json");
}
