import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { metricsRegistry } from "../../metrics.ts";
import type { App, HttpContext } from "../context.ts";
import { problemResponses } from "../schemas/problem.ts";

const ok = Type.Object({ status: Type.Literal("ok") });

/** Whether the process answers. It reveals nothing else, so it is on both listeners. */
export function registerLivenessRoute(app: App): void {
  app.get(
    "/livez",
    {
      config: { answers_while_draining: true },
      schema: { operationId: "livez", summary: "The process answers", security: [], response: { 200: ok } },
    },
    async () => ({ status: "ok" as const }),
  );
}

/** Readiness and metrics for the operator's machines, without a key. */
export function registerOperationsRoutes(app: App, { checkDatabase, isDraining }: HttpContext): void {
  app.get(
    "/readyz",
    { config: { answers_while_draining: true }, schema: { response: { 200: ok, ...problemResponses } } },
    async () => {
      if (isDraining())
        throw new AppError("unavailable", "The process is about to stop.", { retry_after_seconds: 1 });
      await checkDatabase().catch((error: unknown) => {
        // The driver's message names hosts, logins and databases, so it goes to the log only.
        throw new AppError("unavailable", "The database does not answer.", {
          retry_after_seconds: 1,
          cause: error,
        });
      });
      return { status: "ok" as const };
    },
  );

  app.get("/metrics", { config: { answers_while_draining: true } }, async (_request, reply) =>
    reply.type(metricsRegistry.contentType).send(await metricsRegistry.metrics()),
  );
}
