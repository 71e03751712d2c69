/** The door of the HTTP room. */
export { admitApiKey, createApiKey, revokeApiKey, selectApiKeys } from "./api-keys.ts";
export { buildApp, type App } from "./app.ts";
export type { HttpContext } from "./context.ts";
