import { hash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { Author } from "../audit/audit.ts";
import { monotonicMilliseconds } from "../clock.ts";
import type { Database } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { findApiKey, type ApiKeyRow } from "./api-key-queries.ts";

export type Scope = "read" | "write" | "admin";
/** `actor` is `key:<key_id>`: names of keys are not unique. */
export type Caller = { readonly key_id: string; readonly actor: string; readonly scopes: readonly string[] };

declare module "fastify" {
  interface FastifyRequest {
    caller: Caller;
  }
  interface FastifyContextConfig {
    /** The right a route needs; a read for GET and a write for the rest, where it does not say. */
    scope?: Scope;
  }
}

/** How long a key's row is trusted without asking again; a revoked key is out after this. */
const cached_ms = 5_000;
const cached_keys_max = 10_000;

/** Gives the caller of a request. Errors: `unauthenticated`, `forbidden`. */
export function createAuthenticator(database: Database): (request: FastifyRequest) => Promise<Caller> {
  // The row on its way counts as known, so that hundreds of requests at the end of its time ask once.
  const cache = new Map<string, { row: Promise<ApiKeyRow | undefined>; until: number }>();
  const rowOf = (token: string): Promise<ApiKeyRow | undefined> => {
    const known = cache.get(token);
    if (known !== undefined && known.until > monotonicMilliseconds()) return known.row;
    if (cache.size >= cached_keys_max) cache.clear();
    const row = findApiKey(database, hashApiKey(token));
    cache.set(token, { row, until: monotonicMilliseconds() + cached_ms });
    row.catch(() => cache.delete(token));
    return row;
  };
  return async (request) => {
    const row = await rowOf(tokenOf(request));
    if (row === undefined) throw new AppError("unauthenticated", "The API key is unknown or revoked.");
    const caller = { key_id: row.key_id, actor: `key:${row.key_id}`, scopes: row.scopes };
    const scope = request.routeOptions.config.scope ?? (request.method === "GET" || request.method === "HEAD" ? "read" : "write");
    if (!caller.scopes.includes(scope)) throw new AppError("forbidden", `The API key has no ${scope} right.`);
    return caller;
  };
}

/** Whose change it is, for the audit log. */
export function authorOf(request: FastifyRequest): Author {
  return { actor: request.caller.actor, request_id: request.id };
}

/** Keys are long random texts, so one round of SHA-256 keeps them as safe as a slow hash would. */
export function hashApiKey(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

/** From `Authorization: Bearer`, or the user of HTTP basic. */
function tokenOf(request: FastifyRequest): string {
  const header = request.headers.authorization ?? "";
  const [, scheme = "", value = ""] = /^(\w+) +(\S+)$/.exec(header) ?? [];
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() === "basic") return Buffer.from(value, "base64").toString("utf8").split(":")[0] ?? "";
  throw new AppError("unauthenticated", "Send Authorization: Bearer <API key>.");
}
