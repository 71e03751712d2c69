import { Type } from "typebox";
import { AppError, messageOf } from "../../errors.ts";
import { metricsRegistry } from "../../metrics.ts";
import type { App, HttpContext } from "../context.ts";
import { problemResponses } from "../schemas.ts";

const ok = Type.Object({ status: Type.Literal("ok") });

/** What machines ask: is the process alive, may it get traffic, how is it doing. No key needed. */
export function registerOperationsRoutes(app: App, { checkDatabase, isDraining }: HttpContext): void {
  app.get("/livez", {
    config: { answers_while_draining: true },
    schema: { operationId: "livez", summary: "The process answers", security: [], response: { 200: ok } },
  }, async () => ({ status: "ok" as const }));

  app.get("/readyz", {
    config: { answers_while_draining: true },
    schema: { operationId: "readyz", summary: "The database answers and the process is not about to stop", security: [], response: { 200: ok, ...problemResponses } },
  }, async () => {
    if (isDraining()) throw new AppError("unavailable", "The process is about to stop.", { retry_after_seconds: 1 });
    await checkDatabase().catch((error: unknown) => {
      throw new AppError("unavailable", `The database does not answer: ${messageOf(error)}`, { retry_after_seconds: 1, cause: error });
    });
    return { status: "ok" as const };
  });

  app.get("/metrics", { schema: { hide: true } }, async (_request, reply) => reply.type(metricsRegistry.contentType).send(await metricsRegistry.metrics()));

  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}
