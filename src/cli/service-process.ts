import closeWithGrace from "close-with-grace";
import { assertBuiltInKeyStaysLocal, loadConfig, type Config } from "../config/config.ts";
import { beginEpochIfRestored, checkLogin, checkSchema } from "../db/db.ts";
import { checkNoDevelopmentKeys } from "../http/http.ts";
import { armCrashPoint } from "../payments/payments.ts";
import { namingVariable } from "./configured-database.ts";
import { composeService, type Service } from "./compose.ts";

export type Roles = { readonly serves: boolean; readonly works: boolean };

/**
 * Runs a service process until a signal: `serve` answers HTTP, `work` brings payments forward; a process may
 * do both.
 */
export async function runService(roles: Roles, mode: "development" | "production"): Promise<void> {
  const config = loadConfig(mode);
  if (roles.serves) assertBuiltInKeyStaysLocal(config);
  if (config.crash_point !== undefined) armCrashPoint(config.crash_point);
  const url = databaseUrlOf(config);
  await namingVariable("DATABASE_URL", () => checkLogin(url));
  await checkSchema(url);
  await beginEpochIfRestored(url);
  const service = await composeService(config, url, { is_worker: roles.works, has_api: roles.serves });
  try {
    await start(config, service, roles);
  } catch (error) {
    await service.close();
    throw error;
  }
  closeWithGrace({ delay: 20_000 }, async ({ err }) => {
    if (err !== undefined) service.log.error({ err }, "stopping after an error");
    service.drain();
    await service.close();
  });
}

async function start(config: Config, service: Service, roles: Roles): Promise<void> {
  if (config.mode === "production") await checkNoDevelopmentKeys(service.database);
  if (roles.works) service.workers.start();
  // A worker listens too, for its health and its metrics only.
  const operations_url = await service.operations
    .listen(config.operations)
    .catch(nameBusyPort("OPERATIONS_PORT"));
  const { host, port } = config;
  const url = roles.serves
    ? await service.app.listen({ host, port }).catch(nameBusyPort("PORT"))
    : operations_url;
  // Started by `pacioli dev`: if that is killed, this process ends too.
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.stdout.write(`${JSON.stringify({ event: "service_ready", url, operations_url, ...roles })}\n`);
}

/** Rethrows; if another process listens on the port, with the setting that chooses another one. */
function nameBusyPort(setting: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    throw new Error(`${error.message}. Stop what listens there, or set ${setting} to a free port.`, {
      cause: error,
    });
  };
}

function databaseUrlOf(config: Config): string {
  if (config.database_url === undefined)
    throw new Error("Set DATABASE_URL, or use `pacioli dev` for the embedded PostgreSQL.");
  return config.database_url;
}
