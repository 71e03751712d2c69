/** The door of the HTTP room. */
export { checkNoDevelopmentKeys, createApiKey, revokeApiKey, selectApiKeys } from "./api-keys.ts";
export { buildApp, buildOperationsApp } from "./app.ts";
export { createDatabaseCheck } from "./health-queries.ts";
export { readResolution } from "./routes/attempts.ts";
export { statusUrl } from "./status-link.ts";
export type { App, HttpContext } from "./context.ts";
