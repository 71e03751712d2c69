import { createHash } from "node:crypto";
import { readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { canHoldCluster, type Account } from "./account.ts";
import { EmbeddedPostgresError, systemErrorCode } from "./embedded-error.ts";
import { findSafeFolder } from "./fallback-folder.ts";
import { isPostmasterAlive, readPostmasterFile } from "./postmaster-file.ts";
import { stopServer } from "./server.ts";
import { readJsonObject, writeAtomically } from "./state-files.ts";

/** Where the cluster is, or is to be made: `<parent_dir>/postgres`. */
export type ClusterPlace = { readonly parent_dir: string; readonly cluster_dir: string };

/**
 * Finds the cluster of a data folder: in it, or at the place that `location.json` names.
 *
 * @returns undefined when none was ever made
 * @throws EmbeddedPostgresError when the recorded place is gone, also when that was a temporary folder (never
 * silently
 *   an empty database instead), or when the folder holds something that is not a whole cluster
 */
export async function findCluster(dataDir: string): Promise<ClusterPlace | undefined> {
  const record = await readJsonObject(locationFile(dataDir));
  const recorded = record?.["parent_dir"];
  const parentDir = typeof recorded === "string" ? recorded : dataDir;
  const recordedFor = record?.["data_dir"];
  if (
    typeof recordedFor === "string" &&
    recordedFor !== dataDir &&
    (await isPresent(locationFile(recordedFor)))
  ) {
    throw new EmbeddedPostgresError(
      `${dataDir} is a copy of ${recordedFor}, and both name the one database in ${parentDir}. ` +
        `Use the original, or delete ${locationFile(dataDir)} to start with an EMPTY database.`,
    );
  }
  const clusterDir = join(parentDir, "postgres");
  if (await isWholeCluster(clusterDir)) return { parent_dir: parentDir, cluster_dir: clusterDir };
  if (parentDir === dataDir || record?.["state"] === "planned") return undefined;
  throw new EmbeddedPostgresError(
    `The database of ${dataDir} was kept in ${clusterDir}, and it is not there any more. ` +
      "Restore that folder from a backup. " +
      `Or, to start with an EMPTY database, delete ${locationFile(dataDir)} and start again.`,
  );
}

/**
 * Chooses the place of a new cluster: the data folder, or, when the account cannot work there (root's data
 * folder below a folder that only root can enter), a folder of its own under the first usable fallback root.
 */
export async function choosePlace(
  dataDir: string,
  account: Account | undefined,
  fallbackRoots: readonly string[],
  onProgress: (line: string) => void,
): Promise<ClusterPlace> {
  if (account === undefined || (await canHoldCluster(dataDir, account))) return placeUnder(dataDir);
  const key = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  for (const root of fallbackRoots) {
    if ((await findSafeFolder(root)) === undefined) continue;
    const folder = await findSafeFolder(join(root, key));
    if (folder === undefined || !(await canHoldCluster(folder, account))) continue;
    const place = placeUnder(folder);
    await setAbandonedAside(place, onProgress);
    return place;
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, and ${account.name} can reach neither ${dataDir} nor ` +
      `${fallbackRoots.join(" nor ")}. ` +
      `Choose a data folder that ${account.name} can enter, or set DATABASE_URL.`,
  );
}

/**
 * Records a cluster that lives outside its data folder, so that the next start finds it again: `planned`
 * before it is made, so that an interruption leads back to the same place, `made` once its absence would be a
 * loss.
 */
export async function recordPlace(
  dataDir: string,
  place: ClusterPlace,
  state: "planned" | "made",
): Promise<void> {
  if (place.parent_dir === dataDir) return;
  const record = { parent_dir: place.parent_dir, data_dir: dataDir, state };
  await writeAtomically(locationFile(dataDir), `${JSON.stringify(record, undefined, 2)}\n`, 0o644);
}

function placeUnder(parentDir: string): ClusterPlace {
  return { parent_dir: parentDir, cluster_dir: join(parentDir, "postgres") };
}

function locationFile(dataDir: string): string {
  return join(dataDir, "location.json");
}

/**
 * Whether a cluster is there. Ours appear whole, by a rename, so anything between is damage and not ours to
 * remove.
 */
async function isWholeCluster(clusterDir: string): Promise<boolean> {
  const entries = await listFolder(clusterDir);
  if (entries === undefined) return false;
  if (entries.length === 0) {
    await rmdir(clusterDir);
    return false;
  }
  if (entries.includes("PG_VERSION") && (await isPresent(join(clusterDir, "global", "pg_control"))))
    return true;
  throw new EmbeddedPostgresError(
    `${clusterDir} is not a whole PostgreSQL cluster. Restore it from a backup; or, to start with an EMPTY ` +
      "database, move that folder away and start again.",
  );
}

async function listFolder(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function isPresent(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * A cluster at this place belonged to a data folder that was deleted, with its password: the user started
 * afresh. It is stopped if need be and set aside, and only the latest one is kept.
 */
async function setAbandonedAside(place: ClusterPlace, onProgress: (line: string) => void): Promise<void> {
  if (!(await isWholeCluster(place.cluster_dir))) return;
  const file = await readPostmasterFile(place.cluster_dir);
  if (file !== undefined && (await isPostmasterAlive(place.cluster_dir, file)))
    await stopServer(file.process_id);
  const aside = join(place.parent_dir, "postgres-abandoned");
  await rm(aside, { recursive: true, force: true });
  await rename(place.cluster_dir, aside);
  onProgress(`the database of an earlier, deleted data folder is now in ${aside}`);
}
