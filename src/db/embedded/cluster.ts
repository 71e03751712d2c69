import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { spawnIdentity, type Account } from "./account.ts";
import { programPath, type Binaries } from "./binaries.ts";
import { EmbeddedPostgresError, systemErrorCode } from "./embedded-error.ts";
import type { ClusterPlace } from "./location.ts";
import { CHILD_ENV } from "./processes.ts";
import { readIfPresent, writeAtomically } from "./state-files.ts";

const run = promisify(execFile);
const WORK_PREFIX = "postgres-initdb-";

/** UTF-8 and an order of text that is the same on every machine, whatever its locales and their versions. */
const INITDB_OPTIONS = [
  "--username=postgres",
  "--encoding=UTF8",
  "--locale=C",
  "--locale-provider=builtin",
  "--builtin-locale=C.UTF-8",
  "--auth=scram-sha-256",
  "--no-instructions",
];

/**
 * The superuser's password: made with the cluster, and never without it, or an old cluster could not be
 * opened.
 */
export async function readPassword(dataDir: string, isNewCluster: boolean): Promise<string> {
  const path = join(dataDir, "postgres-password");
  const present = (await readIfPresent(path))?.trim();
  if (present !== undefined && present !== "") return present;
  if (!isNewCluster) {
    throw new EmbeddedPostgresError(
      `${path} is missing, and the database in ${dataDir} cannot be opened without it. ` +
        "Restore it from a backup.",
    );
  }
  const password = randomBytes(24).toString("base64url");
  await writeAtomically(path, `${password}\n`, 0o600);
  return password;
}

/**
 * Makes the cluster in a work folder next to its final place and renames it, so that it appears complete or
 * not at all.
 */
export async function createCluster(
  place: ClusterPlace,
  binaries: Binaries,
  account: Account | undefined,
  password: string,
): Promise<void> {
  await removeInterrupted(place.parent_dir);
  const work = join(place.parent_dir, `${WORK_PREFIX}${randomBytes(6).toString("hex")}`);
  const passwordFile = join(work, "password");
  const cluster = join(work, "cluster");
  try {
    await mkdir(work, { mode: 0o700 });
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (account !== undefined) {
      await chown(passwordFile, account.uid, account.gid);
      await chown(work, account.uid, account.gid);
    }
    const args = [...INITDB_OPTIONS, `--pwfile=${passwordFile}`, `--pgdata=${cluster}`];
    const options = { cwd: "/", env: CHILD_ENV, ...spawnIdentity(account) };
    await run(programPath(binaries.native_dir, "initdb"), args, options);
    await rename(cluster, place.cluster_dir);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOTEMPTY" || code === "EEXIST") return;
    throw new EmbeddedPostgresError(
      `PostgreSQL could not make a database in ${place.parent_dir}: ${describe(error)}\n` +
        "Check that the folder is on a local disk with free space, or choose another data folder.",
      { cause: error },
    );
  } finally {
    await removeTree(work);
  }
}

/** Refuses a cluster of another major version, which this server could not read. */
export async function checkVersion(place: ClusterPlace, binaries: Binaries): Promise<void> {
  const major = (await readFile(join(place.cluster_dir, "PG_VERSION"), "utf8")).trim();
  if (major === binaries.major || binaries.version === "unknown") return;
  throw new EmbeddedPostgresError(
    `The database in ${place.cluster_dir} was made by PostgreSQL ${major}, ` +
      `and this Pacioli brings ${binaries.major}. ` +
      "Dump it with the earlier Pacioli's PostgreSQL and restore it into a new data folder.",
  );
}

/** Removes what an initdb that was killed left behind. The caller holds the start lock: none is running. */
async function removeInterrupted(parentDir: string): Promise<void> {
  for (const name of await readdir(parentDir)) {
    // An initdb that outlived its starter may still write there; what resists now goes the next time.
    if (name.startsWith(WORK_PREFIX)) await removeTree(join(parentDir, name)).catch(() => undefined);
  }
}

async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "stderr" in error && typeof error.stderr === "string" && error.stderr !== ""
    ? error.stderr.trim()
    : error.message;
}
