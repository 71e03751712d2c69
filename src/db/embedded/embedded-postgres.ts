import { access, chmod, constants, mkdir, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chooseAccount, claimCluster } from "./account.ts";
import { findNativeDir, provideBinaries } from "./binaries.ts";
import { checkVersion, createCluster, readPassword } from "./cluster.ts";
import { askDataDirectory, hasOtherClients, makeSuperuserUrl } from "./connection.ts";
import { EmbeddedPostgresError, systemErrorCode } from "./embedded-error.ts";
import { FALLBACK_ROOTS } from "./fallback-folder.ts";
import { choosePlace, findCluster, recordPlace, type ClusterPlace } from "./location.ts";
import { becomeOwner, forgetOwner, isOwnerAlive } from "./owner.ts";
import { disownPostmasterFile, isPostmasterAlive, readPostmasterFile } from "./postmaster-file.ts";
import { identifyProcess, isSameProcessAlive, readWorkingFolder, type ProcessIdentity } from "./processes.ts";
import { startServer, stopServer, type RunningServer } from "./server.ts";
import { acquireStartLock } from "./start-lock.ts";

export { ensureDatabase } from "./connection.ts";
export { EmbeddedPostgresError } from "./embedded-error.ts";
export { chooseFreePort } from "./free-port.ts";

export type EmbeddedPostgresOptions = {
  /** Holds the cluster, its password and its log. Made when missing. */
  readonly data_dir: string;
  /** The port to listen on at 127.0.0.1; another one is taken when it is busy or not given. */
  readonly port?: number;
  /**
   * Whether it waits for the disk; true by default. If not, killing it loses nothing, but a power cut may
   * break the cluster: for tests only.
   */
  readonly is_durable?: boolean;
  /** Called with a line of text for each step that takes time. */
  readonly on_progress?: (line: string) => void;
};

export type EmbeddedPostgres = {
  readonly superuser_url: string;
  readonly port: number;
  /** Whether this process is the one to stop the server: false when another live one started it. */
  readonly is_owner: boolean;
  /** The server's (the postmaster's) process id. */
  readonly process_id: number;
  isRunning(): Promise<boolean>;
  /**
   * Stops the server, unless another live process owns it or somebody else is still connected: then it is
   * left to them. May be called any number of times.
   */
  stop(): Promise<void>;
};

/** For tests: other places for what is otherwise found or fixed. */
export type EmbeddedPostgresPlaces = {
  readonly native_dir?: string;
  readonly fallback_roots?: readonly string[];
};

const LOCK_TIMEOUT_SECONDS = 240;
const STOP_LOCK_TIMEOUT_SECONDS = 10;
const RUNNING_TIMEOUT_SECONDS = 180;

/**
 * Starts the PostgreSQL of a data folder, making it at the first start, or joins the one that already runs
 * there. The server outlives this process unless `stop` is called; the next start then adopts it.
 *
 * @throws EmbeddedPostgresError saying what to do, when there can be no server
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
  places: EmbeddedPostgresPlaces = {},
): Promise<EmbeddedPostgres> {
  const dataDir = await prepareDataDir(options.data_dir);
  const release = await acquireStartLock(lockFile(dataDir), LOCK_TIMEOUT_SECONDS);
  try {
    return await startLocked(dataDir, options, places);
  } finally {
    await release();
  }
}

async function startLocked(
  dataDir: string,
  options: EmbeddedPostgresOptions,
  places: EmbeddedPostgresPlaces,
): Promise<EmbeddedPostgres> {
  const onProgress = options.on_progress ?? (() => undefined);
  const existing = await findCluster(dataDir);
  const password = await readPassword(dataDir, existing === undefined);
  const running = existing === undefined ? undefined : await findRunning(existing, password, onProgress);
  if (running !== undefined) {
    const isOwner = !(await isOwnerAlive(dataDir));
    if (isOwner) await becomeOwner(dataDir);
    return describeServer(dataDir, password, running, isOwner);
  }
  const account = await chooseAccount(existing?.cluster_dir);
  const fallbackRoots = places.fallback_roots ?? FALLBACK_ROOTS;
  const binaries = await provideBinaries(
    places.native_dir ?? findNativeDir(),
    account,
    fallbackRoots,
    onProgress,
  );
  const place = existing ?? (await choosePlace(dataDir, account, fallbackRoots, onProgress));
  if (existing === undefined) {
    onProgress(`making a new PostgreSQL ${binaries.major} database in ${place.cluster_dir}`);
    await recordPlace(dataDir, place, "planned");
    await createCluster(place, binaries, account, password);
    await recordPlace(dataDir, place, "made");
  } else if (account !== undefined) {
    await claimCluster(place.cluster_dir, account);
  }
  await checkVersion(place, binaries);
  const plan = {
    binaries,
    account,
    cluster_dir: place.cluster_dir,
    log_file: join(dataDir, "postgres.log"),
    password,
    is_durable: options.is_durable ?? true,
    on_progress: onProgress,
  };
  const server = await startServer(plan, options.port);
  await becomeOwner(dataDir);
  return describeServer(dataDir, password, server, true);
}

/**
 * The server that already runs on the cluster, once it answers; undefined when none does or it is just
 * stopping.
 */
async function findRunning(
  place: ClusterPlace,
  password: string,
  onProgress: (line: string) => void,
): Promise<RunningServer | undefined> {
  const deadline = performance.now() + RUNNING_TIMEOUT_SECONDS * 1_000;
  let isFirstLook = true;
  for (;;) {
    const file = await readPostmasterFile(place.cluster_dir);
    if (file === undefined) return undefined;
    if (!(await isPostmasterAlive(place.cluster_dir, file))) {
      await disownPostmasterFile(place.cluster_dir);
      return undefined;
    }
    if (file.port !== undefined && file.status === "ready") {
      const found = await askDataDirectory(makeSuperuserUrl(file.port, password));
      if (found.answer === "is" && (await isOurs(found.data_directory, file.process_id, place))) {
        return { process_id: file.process_id, port: file.port };
      }
      if (found.answer === "refused_password") throw wrongPassword(place, file.process_id);
    }
    if (performance.now() > deadline) throw neverReady(place, file.process_id);
    if (isFirstLook) onProgress(`waiting for the PostgreSQL that runs already (process ${file.process_id})`);
    isFirstLook = false;
    await sleep(50);
  }
}

async function describeServer(
  dataDir: string,
  password: string,
  server: RunningServer,
  isOwner: boolean,
): Promise<EmbeddedPostgres> {
  // The server may die long before we stop it, and its id go to a stranger.
  const identity = await identifyProcess(server.process_id);
  let stopping: Promise<void> | undefined;
  return {
    superuser_url: makeSuperuserUrl(server.port, password),
    port: server.port,
    is_owner: isOwner,
    process_id: server.process_id,
    isRunning: () => isSameProcessAlive(identity),
    stop: () =>
      (stopping ??= stopUnlessUsed(dataDir, identity, makeSuperuserUrl(server.port, password), isOwner)),
  };
}

/** Under the start lock, so that nobody joins a server that is about to go. */
async function stopUnlessUsed(
  dataDir: string,
  server: ProcessIdentity,
  url: string,
  isOwner: boolean,
): Promise<void> {
  const release = await acquireStartLock(lockFile(dataDir), STOP_LOCK_TIMEOUT_SECONDS).catch(() => undefined);
  try {
    if (isOwner) await forgetOwner(dataDir);
    else if (await isOwnerAlive(dataDir)) return;
    if (!(await isSameProcessAlive(server)) || (await hasOtherClients(url))) return;
    await stopServer(server.process_id);
  } finally {
    await release?.();
  }
}

/** Makes the data folder and resolves links, because the folder's real path is the key of everything else. */
async function prepareDataDir(path: string): Promise<string> {
  try {
    // Root's server runs as another account, which must be able to pass through to the cluster, and no more.
    const mode = process.geteuid?.() === 0 ? 0o711 : 0o700;
    await mkdir(dirname(path), { recursive: true });
    const created = await mkdir(path, { recursive: true, mode });
    if (created !== undefined) await chmod(path, mode);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(path);
  } catch (error) {
    throw new EmbeddedPostgresError(
      `The data folder ${path} cannot be used (${systemErrorCode(error) ?? String(error)}). ` +
        "Start as the user that it belongs to, or choose another folder (PACIOLI_DATA_DIR).",
      { cause: error },
    );
  }
}

async function isOurs(dataDirectory: string, processId: number, place: ClusterPlace): Promise<boolean> {
  const real = await realpath(dataDirectory).catch(() => dataDirectory);
  return real === place.cluster_dir || (await readWorkingFolder(processId)) === place.cluster_dir;
}

function lockFile(dataDir: string): string {
  return join(dataDir, "postgres-start.lock");
}

function wrongPassword(place: ClusterPlace, processId: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The PostgreSQL of ${place.cluster_dir} (process ${processId}) does not accept the password in ` +
      "postgres-password. Restore that file from a backup.",
  );
}

function neverReady(place: ClusterPlace, processId: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The PostgreSQL of ${place.cluster_dir} (process ${processId}) has not become ready within ` +
      `${RUNNING_TIMEOUT_SECONDS} s. See postgres.log; end that process and start again.`,
  );
}
