import { spawn } from "node:child_process";
import { chown, lchown, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { EmbeddedPostgresError, systemErrorCode } from "./embedded-error.ts";
import { CHILD_ENV } from "./processes.ts";

/** The account that the server runs as when we are root, which PostgreSQL refuses to run as. */
export type Account = { readonly name: string; readonly uid: number; readonly gid: number };

/** The identity options of `spawn` for this account; empty when the server runs as ourselves. */
export function spawnIdentity(account: Account | undefined): { uid?: number; gid?: number } {
  return account === undefined ? {} : { uid: account.uid, gid: account.gid };
}

/**
 * The account to run the server as, or undefined for an ordinary user, who runs it directly. Root takes the
 * owner of the cluster that is already there, else the system's `postgres`, else `nobody`. No account is ever
 * created.
 */
export async function chooseAccount(existingClusterDir: string | undefined): Promise<Account | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  if (existingClusterDir !== undefined) {
    const owner = await stat(existingClusterDir);
    if (owner.uid !== 0) return { name: `uid ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  }
  const accounts = parsePasswd(await readFile("/etc/passwd", "utf8"));
  for (const name of ["postgres", "nobody"]) {
    const found = accounts.find((account) => account.name === name && account.uid > 0);
    if (found !== undefined) return found;
  }
  throw new EmbeddedPostgresError(
    "PostgreSQL does not run as root, and this system has neither a `postgres` nor a `nobody` account. " +
      "Start Pacioli as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own.",
  );
}

/** The accounts of a passwd file, in its order. */
export function parsePasswd(text: string): Account[] {
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    if (name === undefined || uid === undefined || gid === undefined || !/^\d+$/.test(uid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

/**
 * Whether a cluster could live in `folder`: makes a folder there, gives it to the account, and writes as that
 * account.
 */
export async function canHoldCluster(folder: string, account: Account): Promise<boolean> {
  let probe: string | undefined;
  try {
    probe = await mkdtemp(join(folder, "probe-"));
    await chown(probe, account.uid, account.gid);
    return await runsAs(account, "/bin/sh", ["-c", ': > "$1/written"', "sh", probe]);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return false;
  } finally {
    if (probe !== undefined) await rm(probe, { recursive: true, force: true });
  }
}

/**
 * Makes sure that the account can use a cluster that is already there. One that belongs to root (copied or
 * restored by root) is given to the account.
 *
 * @throws EmbeddedPostgresError when the account cannot enter the folder
 */
export async function claimCluster(clusterDir: string, account: Account): Promise<void> {
  if ((await stat(clusterDir)).uid === 0) await giveTree(clusterDir, account);
  if (await runsAs(account, "/bin/sh", ["-c", 'cd "$1"', "sh", clusterDir])) return;
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, and ${account.name} cannot enter ${clusterDir}. ` +
      "Let others pass through each folder above it (`chmod o+x`), " +
      "or move the data folder to where they can.",
  );
}

async function giveTree(folder: string, account: Account): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveTree(path, account);
    else await lchown(path, account.uid, account.gid);
  }
  // Last, so that a run which was interrupted is seen and done again.
  await chown(folder, account.uid, account.gid);
}

/** Runs a program as the account (or as ourselves) and says whether it could be started and exited with 0. */
export async function runsAs(
  account: Account | undefined,
  program: string,
  args: string[],
): Promise<boolean> {
  const child = spawn(program, args, {
    cwd: "/",
    env: CHILD_ENV,
    stdio: "ignore",
    ...spawnIdentity(account),
  });
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}
