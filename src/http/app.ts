import fastifySwagger from "@fastify/swagger";
import { AppError } from "../errors.ts";
import { assertScope, createAuthenticator, renewCaller, requireStatedScopes } from "./auth.ts";
import { limitCallsAtOnce } from "./calls-at-once.ts";
import type { App, HttpContext } from "./context.ts";
import { inspectHeaders } from "./inspection/headers.ts";
import { openApiInfo, withStatedScope } from "./openapi.ts";
import { takeOnlyJson } from "./json-requests.ts";
import { createRateLimit } from "./rate-limit.ts";
import { createReadTurns } from "./read-turns.ts";
import { registerApprovalRoutes } from "./routes/approvals.ts";
import { registerAttemptRoutes } from "./routes/attempts.ts";
import { registerAuditLogRoutes } from "./routes/audit-log.ts";
import { registerCaptureRoutes } from "./routes/captures.ts";
import { registerCheckoutRoutes } from "./routes/checkouts.ts";
import { registerDeadLetterRoutes } from "./routes/dead-letters.ts";
import { registerEventRoutes } from "./routes/events.ts";
import { registerLedgerRoutes } from "./routes/ledger.ts";
import { registerLivenessRoute, registerOperationsRoutes } from "./routes/operations.ts";
import { registerPaymentRoutes } from "./routes/payments.ts";
import { registerPaymentCreateRoute } from "./routes/payments-create.ts";
import { registerRiskRoutes } from "./routes/risk.ts";
import { registerStatusPageRoutes } from "./routes/status-page.ts";
import { registerUnresolvedOrderRoutes } from "./routes/unresolved-orders.ts";
import { registerWalletRoutes } from "./routes/wallets.ts";
import { registerWebhookRoutes } from "./routes/webhooks.ts";
import { createServer } from "./server.ts";

/** The API. Building it is separate from listening, so that tests and the OpenAPI printer need no socket. */
export async function buildApp(
  context: HttpContext,
  options: { has_api: boolean } = { has_api: true },
): Promise<App> {
  const app = createServer(context);
  await app.register(fastifySwagger, { openapi: openApiInfo, transform: withStatedScope });
  app.addHook("onRequest", async ({ headers }) =>
    assertAllowedHost(headers.host, context.settings.allowed_hosts),
  );
  await app.register(async (scope: App) => {
    registerLivenessRoute(scope);
    serveDocument(scope, () => JSON.stringify(app.swagger()));
  });
  if (options.has_api) {
    await app.register(async (scope: App) => registerWebhookRoutes(scope, context), {
      prefix: "/api/v1/webhooks",
    });
    await app.register(async (scope: App) => registerApi(scope, context), { prefix: "/api/v1" });
    await app.register(async (scope: App) => registerStatusPageRoutes(scope, context));
  }
  await app.ready();
  return app;
}

/** Health and metrics, on a port of their own, because they need no key. */
export async function buildOperationsApp(context: HttpContext): Promise<App> {
  const app = createServer(context);
  await app.register(async (scope: App) => {
    registerLivenessRoute(scope);
    registerOperationsRoutes(scope, context);
  });
  await app.ready();
  return app;
}

/** A read takes about a tenth of a millisecond of the event loop, so a turn ends after a few milliseconds. */
const reads_begun_per_turn_max = 32;

async function registerApi(app: App, context: HttpContext): Promise<void> {
  const { database, settings } = context;
  const limitRate = createRateLimit(settings.rate_limit_per_second);
  const authenticate = createAuthenticator({
    database,
    rate_limit_per_second: settings.rate_limit_per_second,
    development_key: settings.development_key,
  });
  const beginRead = createReadTurns(reads_begun_per_turn_max);
  requireStatedScopes(app);
  app.addHook("onRequest", (request, _reply, done) => {
    if (request.method === "GET" || request.method === "HEAD") beginRead(done);
    else done();
  });
  app.addHook("onRequest", async (request, reply) => {
    request.caller = await authenticate(request, reply);
    limitRate(request.caller.key_id, reply);
    assertScope(request);
  });
  takeOnlyJson(app);
  limitCallsAtOnce(app, settings.calls_at_once_max);
  app.addHook("preValidation", async (request, reply) => {
    await renewCaller(authenticate, request, reply);
    inspectHeaders(request.headers);
    readQueryNumbers(request.query);
  });
  registerPaymentCreateRoute(app, context);
  registerPaymentRoutes(app, context);
  registerCaptureRoutes(app, context);
  registerCheckoutRoutes(app, context);
  registerWalletRoutes(app, context);
  registerLedgerRoutes(app, context);
  registerDeadLetterRoutes(app, context);
  registerAttemptRoutes(app, context);
  registerApprovalRoutes(app, context);
  registerRiskRoutes(app, context);
  registerUnresolvedOrderRoutes(app, context);
  registerAuditLogRoutes(app, context);
  registerEventRoutes(app, context);
  app.get(
    "/",
    {
      config: { scope: "read" },
      schema: { operationId: "listResources", summary: "The resources of this API", hide: false },
    },
    async () => ({
      object: "index",
      resources: [
        "payments",
        "checkouts",
        "wallets",
        "ledger",
        "dead_letters",
        "approvals",
        "unresolved_orders",
        "risk_blocks",
        "audit_log",
        "events",
        "webhooks",
      ].map((name) => `/api/v1/${name}`),
    }),
  );
}

/** It needs no key, and printing it takes 10 ms, so it is printed once, at the first request. */
function serveDocument(app: App, print: () => string): void {
  let document: Buffer | undefined;
  app.get("/openapi.json", { schema: { hide: true } }, (_request, reply) => {
    document ??= Buffer.from(print());
    return reply.type("application/json; charset=utf-8").send(document);
  });
}

/** Query strings are texts; a limit is the one number among them. */
function readQueryNumbers(query: unknown): void {
  if (typeof query !== "object" || query === null || !("limit" in query)) return;
  if (typeof query.limit === "string" && /^\d{1,9}$/.test(query.limit)) query.limit = Number(query.limit);
}

/** Reads the header Host itself: a proxy may pass on an X-Forwarded-Host that its client made up. */
function assertAllowedHost(host: string | undefined, allowed: readonly string[]): void {
  const [, hostname = ""] = /^(\[[^\]]*\]|[^:]*)/.exec(host ?? "") ?? [];
  if (allowed.length === 0 || allowed.includes(hostname)) return;
  throw new AppError("invalid_request", "This host name is not served here.", { param: "Host" });
}
