import { chmod, lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemErrorCode } from "./embedded-error.ts";

/** Where root puts what the unprivileged account could not reach: a durable place before temporary ones. */
export const FALLBACK_ROOTS: readonly string[] = [
  "/var/lib/pacioli",
  join(tmpdir(), "pacioli"),
  "/tmp/pacioli",
];

/**
 * Creates `folder` (mode 0755) or takes the one that is there. Undefined when that cannot be done, or when
 * the folder is not ours alone to write: in a public place such as /tmp somebody else may have prepared it.
 */
export async function findSafeFolder(folder: string): Promise<string | undefined> {
  try {
    const created = await mkdir(folder, { recursive: true });
    if (created !== undefined) await chmod(folder, 0o755);
    const found = await lstat(folder);
    const isOurs = found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
    return isOurs ? folder : undefined;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
}
