import { symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { systemErrorCode } from "./embedded-error.ts";
import { readIfPresent } from "./state-files.ts";

/**
 * Makes the links between PostgreSQL's libraries that an npm package cannot carry. The package lists them in
 * `pg-symlinks.json` and makes them in its install script, which npm may have been told not to run.
 */
export async function restoreLibraryLinks(nativeDir: string): Promise<void> {
  const text = await readIfPresent(join(nativeDir, "pg-symlinks.json"));
  const list: unknown = text === undefined ? [] : JSON.parse(text);
  if (!Array.isArray(list)) return;
  for (const item of list as readonly unknown[]) {
    if (typeof item !== "object" || item === null || !("source" in item) || !("target" in item)) continue;
    const { source, target } = item;
    if (typeof source !== "string" || typeof target !== "string") continue;
    await linkUnlessPresent(basename(source), join(nativeDir, "..", target));
  }
}

async function linkUnlessPresent(to: string, path: string): Promise<void> {
  try {
    await symlink(to, path);
  } catch (error) {
    // Present already is the normal case; where we may not write, a missing link shows when the program is
    // tried.
    const code = systemErrorCode(error);
    if (code !== "EEXIST" && code !== "EACCES" && code !== "EPERM" && code !== "EROFS") throw error;
  }
}
