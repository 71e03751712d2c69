import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import { AppError } from "../errors.ts";
import { newId } from "../ids.ts";
import { summaryOf } from "../logged-error.ts";
import { httpRequestSeconds } from "../metrics.ts";
import { isClientId } from "./client-id.ts";
import type { App, HttpContext } from "./context.ts";
import { inspect } from "./inspection/inspect.ts";
import { outcomeOf, sendProblem } from "./problem.ts";
import { ProtocolFaults, continueIfExpected, serverOptions } from "./protocol-faults.ts";
import { createRefusalLog } from "./refused-access.ts";

const formats = { "client-id": isClientId };

/** A server without routes: parses requests, answers failures, and refuses what no route accepts. */
export function createServer(context: HttpContext): App {
  const loggerInstance: FastifyBaseLogger = context.log;
  const faults = new ProtocolFaults();
  const app = Fastify({
    loggerInstance,
    // A child logger for each request took 9 µs; log lines name the request's id instead.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: context.settings.trusted_proxies.length > 0 && [...context.settings.trusted_proxies],
    bodyLimit: 1_048_576,
    requestTimeout: context.settings.request_timeout_seconds * 1_000,
    http: serverOptions(context.settings.request_timeout_seconds),
    clientErrorHandler: faults.answer,
    // Its 503 is not problem details: `refuseWhileDraining` answers instead.
    return503OnClosing: false,
    // Longer than any id, so that the schema reports a too long one and not the router.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 2_000 },
    frameworkErrors: (_error, request, reply) => {
      sendProblem(request, reply.header("request-id", request.id), unreadablePath());
    },
    genReqId: () => newId("req"),
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        allErrors: true,
        useDefaults: true,
        formats,
      },
    },
    // Answers are only printed by their schemas, but a format that is not known there is warned about at each
    // start.
    serializerOpts: { ajv: { formats } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  faults.listen(app.server);
  answerWithProblems(app);
  // Routes that take bodies say how they are read.
  app.removeAllContentTypeParsers();
  continueIfExpected(app);
  observe(app);
  // One hook for all of these: each hook costs every request a promise.
  app.addHook("onRequest", async (request, reply) => {
    faults.assertRoom(request.raw.socket);
    assertHostHeader(request);
    if (context.isDraining()) refuseWhileDraining(request, reply);
    // No route, no body: without this a body sent to a path that does not exist was read, parsed and
    // searched.
    if (request.is404) throw nothingServed();
  });
  app.addHook("preValidation", async (request) => {
    inspect(request.params);
    inspect(request.query);
  });
  return app;
}

function assertHostHeader({ headers, raw }: FastifyRequest): void {
  if (headers.host !== undefined || raw.httpVersion !== "1.1") return;
  throw new AppError("invalid_request", "The header Host is missing.", { param: "Host" });
}

/** Refuses requests on connections that are still open while the process stops; new ones are not accepted. */
function refuseWhileDraining({ routeOptions }: FastifyRequest, reply: FastifyReply): void {
  if (routeOptions.config.answers_while_draining === true) return;
  reply.header("connection", "close");
  throw new AppError("unavailable", "This process is stopping; send the request again.", {
    retry_after_seconds: 1,
  });
}

function answerWithProblems(app: App): void {
  const noteRefusal = createRefusalLog();
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const outcome = outcomeOf(error);
    if (outcome !== undefined) {
      noteRefusal(request, outcome);
      if (outcome.status >= 500)
        request.log.error({ err: outcome.cause ?? outcome, request_id: request.id }, outcome.message);
      return sendProblem(request, reply, outcome);
    }
    request.log.error({ err: error, request_id: request.id }, `unexpected error: ${summaryOf(error)}`);
    return sendProblem(
      request,
      reply,
      new AppError(
        "internal_error",
        "The request could not be handled; nothing was changed. Report the value of instance.",
      ),
    );
  });
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, nothingServed()));
}

/** Before a route is found. The framework's own message repeats the path. */
function unreadablePath(): AppError {
  const message = "The path's percent encoding is broken, or a part of the path is too long.";
  return new AppError("invalid_request", message, { param: "path" });
}

/** Does not repeat the path, which may have any length and content. */
function nothingServed(): AppError {
  return new AppError("not_found", "Nothing is served at this path with this method.");
}

function observe(app: App): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("request-id", request.id);
  });
  app.addHook("onResponse", async (request, reply) => {
    const labels = {
      route: request.routeOptions.url ?? "none",
      method: request.method,
      status: String(reply.statusCode),
    };
    httpRequestSeconds.observe(labels, reply.elapsedTime / 1_000);
  });
}
