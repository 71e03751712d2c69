import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { AppError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { App } from "./context.ts";
import { problemOf } from "./problem.ts";

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse };

/** How long a client may take to read the last answer before its connection is destroyed. */
const last_words_ms = 2_000;

/** Requests of one connection that may be open at a time. */
const requests_at_once_max = 250;

/**
 * Options for createServer of node:http: a request that is not complete after this time is cut off with 408.
 */
export function serverOptions(request_timeout_seconds: number) {
  const requestTimeout = request_timeout_seconds * 1_000;
  return {
    requestTimeout,
    headersTimeout: requestTimeout,
    // By default Node checks every 30 s, which turned a limit of 30 s into 82 s.
    connectionsCheckingInterval: Math.min(1_000, requestTimeout / 4),
    // Node's own refusal has no body; a missing Host is refused with the other headers.
    requireHostHeader: false,
  };
}

/** Answers requests that never reach the framework with problem details, like every other failure. */
export class ProtocolFaults {
  readonly #exchanges = new WeakMap<Duplex, Exchange[]>();

  /** For requests that Node would answer by itself, or without asking the routes first. */
  listen(server: Server): void {
    server.on("request", (request, response) => this.#remember(request, response));
    server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => {
      const { status, headers, body } = answerOf(
        new AppError("expectation_failed", "The header Expect must be 100-continue, or left out."),
      );
      response.writeHead(status, headers).end(body);
    });
    // The routes decide first: `continueIfExpected` asks for the body once a request is accepted.
    server.on("checkContinue", (request, response) => server.emit("request", request, response));
    server.on("connect", (_request: IncomingMessage, socket: Duplex) =>
      writeAnswer(socket, new AppError("not_found", "CONNECT is not served: Pacioli is not a proxy.")),
    );
  }

  /**
   * Refuses a request if too many on its connection wait for their answers. Node stops reading a connection
   * only while it has answers to send, such as these refusals. Errors: `concurrency_limited`.
   */
  assertRoom(socket: Duplex): void {
    if ((this.#exchanges.get(socket)?.length ?? 0) <= requests_at_once_max) return;
    throw new AppError(
      "concurrency_limited",
      `This connection has ${requests_at_once_max} requests in progress; wait for their answers.`,
      { retry_after_seconds: 1 },
    );
  }

  /** A request that could not be read to its end. Other requests on the connection are answered before. */
  readonly answer = (error: NodeJS.ErrnoException, socket: Duplex): void => {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    const exchanges = this.#exchanges.get(socket) ?? [];
    const open = exchanges.filter(({ response }) => !response.writableFinished);
    const last = exchanges.at(-1);
    // It was answered before it was complete: nobody waits for another answer.
    if (last !== undefined && !last.request.complete && last.response.headersSent)
      return void socket.destroy();
    // An accepted payment must not look refused because of the bytes that followed it.
    const before = open.findLast(({ request }) => request.complete);
    if (before === undefined) return writeAnswer(socket, faultOf(error));
    before.response.once("finish", () => writeAnswer(socket, faultOf(error)));
  };

  #remember(request: IncomingMessage, response: ServerResponse): void {
    const known = this.#exchanges.get(request.socket);
    if (known === undefined) return void this.#exchanges.set(request.socket, [{ request, response }]);
    // Answers are sent in the order of the requests, so the finished ones come first. Looking at all of them
    // for each new request took 16 s for 40,000 that came at once without a key.
    const done = known.findIndex(({ response: earlier }) => !earlier.writableFinished);
    known.splice(0, done < 0 ? known.length : done);
    known.push({ request, response });
  }
}

/** Asks for the body of a request that was accepted. */
export function continueIfExpected(app: App): void {
  app.addHook("preParsing", (request, reply, _payload, done) => {
    if (request.headers.expect !== undefined && !reply.raw.headersSent) reply.raw.writeContinue();
    done();
  });
}

function faultOf(error: NodeJS.ErrnoException): AppError {
  switch (error.code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new AppError("request_timeout", "The request did not arrive in time.", {
        retry_after_seconds: 1,
      });
    case "HPE_HEADER_OVERFLOW":
      return new AppError("headers_too_large", "Path and headers together are larger than 16 KiB.");
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new AppError("payload_too_large", "The extensions of a chunk are too large.", { param: "body" });
    default:
      return new AppError("invalid_request", "This is not a valid HTTP/1.1 request.");
  }
}

function answerOf(error: AppError): {
  status: number;
  headers: Record<string, string | number>;
  body: string;
} {
  const id = newId("req");
  const body = JSON.stringify(problemOf(error, id));
  const headers = {
    "content-type": "application/problem+json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "request-id": id,
    connection: "close",
    ...(error.retry_after_seconds === undefined ? {} : { "retry-after": error.retry_after_seconds }),
  };
  return { status: error.status, headers, body };
}

function writeAnswer(socket: Duplex, error: AppError): void {
  if (!socket.writable) return void socket.destroy();
  const { status, headers, body } = answerOf(error);
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n${body}`);
  setTimeout(() => socket.destroy(), last_words_ms).unref();
}
