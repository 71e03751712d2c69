import assert from "node:assert/strict";
import { hash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Author } from "../audit/audit.ts";
import type { Database } from "../db/db.ts";
import { monotonicMilliseconds } from "../clock.ts";
import { AppError } from "../errors.ts";
import { hasApiKeyForm } from "./api-key-form.ts";
import { findApiKey } from "./api-key-queries.ts";
import { clientAddress } from "./client-address.ts";
import type { App } from "./context.ts";
import { KeyLookup } from "./key-lookup.ts";
import { addressGroup, createRateLimit } from "./rate-limit.ts";

export type Scope = "read" | "write" | "admin";
/** `actor` is `key:<key_id>`: names of keys are not unique. */
export type Caller = { readonly key_id: string; readonly actor: string; readonly scopes: readonly string[] };

declare module "fastify" {
  interface FastifyRequest {
    caller: Caller;
    /** After this time the caller's key must be looked up again before anything is done. */
    caller_trusted_until: number;
  }
  interface FastifyContextConfig {
    /** The scope that a route requires; each route of the API states it (`requireStatedScopes`). */
    scope?: Scope;
    /** Answered even while the process is stopping. */
    answers_while_draining?: true;
  }
}

/** Failures allowed per address, as a fraction of a key's rate limit: 100 a second by default. */
const failures_share = 20;
const failures_min = 5;

type AuthenticatorOptions = {
  readonly database: Database;
  readonly rate_limit_per_second: number;
  /** Accepted without asking the database, in development only. It need not have the form of an API key. */
  readonly development_key: string | undefined;
};

type Authenticate = (request: FastifyRequest, reply: FastifyReply) => Promise<Caller>;

/**
 * Gives the caller of a request: before its body is read, and once more if reading it took long. A text that
 * cannot be a key is refused without asking the database, and addresses that send wrong keys are limited
 * before the next look-up. Errors: `unauthenticated`, `rate_limited`.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const lookup = new KeyLookup((keyHash) => findApiKey(options.database, keyHash));
  const failuresPerSecond = Math.max(failures_min, Math.ceil(options.rate_limit_per_second / failures_share));
  const limitFailures = createRateLimit(failuresPerSecond);
  return async (request, reply) => {
    const countFailure = (): void => limitFailures(addressGroup(clientAddress(request)), reply);
    const token = tokenOf(request);
    const isDevelopment = token !== undefined && token === options.development_key;
    if (token === undefined || (!isDevelopment && !hasApiKeyForm(token))) {
      countFailure();
      const detail =
        token === undefined
          ? "Send Authorization: Bearer <API key>."
          : "This does not have the form of an API key: check that you sent the whole key.";
      throw new AppError("unauthenticated", detail);
    }
    const row = isDevelopment ? developmentRow : await lookup.find(hashApiKey(token), countFailure);
    if (row === undefined) throw new AppError("unauthenticated", "The API key is unknown or revoked.");
    const caller = { key_id: row.key_id, actor: `key:${row.key_id}`, scopes: row.scopes };
    // From here on a logged refusal names the key.
    request.caller = caller;
    request.caller_trusted_until = row.trusted_until;
    return caller;
  };
}

/** Checked once the call has counted for the key's rate limit. Errors: `forbidden`. */
export function assertScope({ caller, method, routeOptions: { config, url } }: FastifyRequest): void {
  const { scope } = config;
  assert(scope !== undefined, `${method} ${url ?? "none"} states no scope`);
  if (caller.scopes.includes(scope)) return;
  throw new AppError("forbidden", `This route needs the scope ${scope}, which the API key does not have.`);
}

/**
 * Looks up the key again if the body took longer to arrive than the first look-up may be trusted: meanwhile
 * the key may have been revoked. Errors: those of `authenticate` and `assertScope`.
 */
export async function renewCaller(
  authenticate: Authenticate,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (request.caller_trusted_until > monotonicMilliseconds()) return;
  request.caller = await authenticate(request, reply);
  assertScope(request);
}

/** A route that states no scope keeps the process from starting: a default could be too low unnoticed. */
export function requireStatedScopes(app: App): void {
  app.addHook("onRoute", ({ method, url, config }) => {
    if (config?.scope === undefined)
      throw new Error(`${String(method)} ${url} states no scope: add config: { scope: … }.`);
  });
}

/** The actor of a change, for the audit log. */
export function authorOf(request: FastifyRequest): Author {
  return { actor: request.caller.actor, request_id: request.id };
}

/**
 * The development key lives in memory only: if it were stored, production on the same database would accept
 * it.
 */
const developmentRow = {
  key_id: "key_development",
  scopes: ["read", "write", "admin"],
  trusted_until: Number.POSITIVE_INFINITY,
};

/** Keys are long random texts, so one round of SHA-256 keeps them as safe as a slow hash would. */
export function hashApiKey(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

/**
 * From `Authorization: Bearer`, or the user of HTTP basic with an empty password; undefined without either.
 */
function tokenOf(request: FastifyRequest): string | undefined {
  assertOneAuthorization(request.raw.rawHeaders);
  const header = request.headers.authorization ?? "";
  const [, scheme = "", value = ""] = /^(\w+) +(\S+)$/.exec(header) ?? [];
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() !== "basic") return undefined;
  return /^([^:]+):?$/.exec(Buffer.from(value, "base64").toString("utf8"))?.[1];
}

/** Node keeps the first of two, other servers the last: a proxy before us may have checked the other one. */
function assertOneAuthorization(rawHeaders: readonly string[]): void {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length === authorization.length && name.toLowerCase() === authorization) count += 1;
  }
  if (count > 1) throw new AppError("unauthenticated", "Send one Authorization header.");
}

const authorization = "authorization";
