import type http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { AdminRequest } from "./admin.ts";
import type { AdyenRequest } from "./adyen/adyen.ts";
import type { FaultName } from "./fault-names.ts";
import type { PageRequest } from "./checkout-page.ts";
import { FaultStrike, type Faults } from "./faults.ts";
import { decodeForm } from "./form.ts";
import { fingerprintOf, type Reply } from "./idempotency.ts";
import { randomText } from "./ids.ts";
import { API_VERSION } from "./render.ts";
import type { StripeRequest } from "./routes.ts";
import { invalidRequest, serverError, StripeError } from "./stripe-error.ts";

const MAX_BODY_BYTES = 1_000_000;
const SLOW_MS = 3_000;
const HTML =
  "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\n";

export interface ListenerParts {
  checkKey: (header: string | undefined) => void;
  stripe: (request: StripeRequest) => Promise<Reply>;
  admin: (request: AdminRequest) => Promise<Reply>;
  adyen: (request: AdyenRequest) => Promise<Reply>;
  page: (request: PageRequest) => Promise<Reply>;
  faults: Faults;
}

function bodyOf(request: http.IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else reject(new StripeError(413, "invalid_request_error", "The request body is too large."));
    });
    request.on("end", () =>
      resolve((chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))?.toString("utf8") ?? ""),
    );
    request.on("error", reject);
  });
}

function oneHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function errorReply(error: unknown): Reply {
  if (error instanceof StripeError) {
    return { status: error.status, body: JSON.stringify(error.body()), transport: "normal" };
  }
  // An error of the simulator itself: the client sees what a PSP would show, the reason goes to the log.
  const stack = error instanceof Error ? error.stack : null;
  process.stderr.write(`${JSON.stringify({ event: "simulator_error", error: String(error), stack })}\n`);
  return { status: 500, body: JSON.stringify(serverError().body()), transport: "normal" };
}

function strikeReply(fault: FaultName): Reply {
  switch (fault) {
    case "429":
      return {
        ...errorReply(
          new StripeError(429, "invalid_request_error", "Too many requests hit the API too quickly.", {
            code: "rate_limit",
          }),
        ),
        headers: { "Retry-After": "1" },
      };
    case "html":
      return { status: 502, body: HTML, headers: { "Content-Type": "text/html" }, transport: "normal" };
    case "disconnect_before_charge":
      return { status: 0, body: "", transport: "disconnect" };
    case "timeout_before_charge":
      return { status: 0, body: "", transport: "hang" };
    default:
      throw new Error(`${fault} does not strike before execution`);
  }
}

async function send(
  response: http.ServerResponse,
  reply: Reply,
  headers: Record<string, string>,
): Promise<void> {
  switch (reply.transport) {
    case "hang":
      return;
    case "disconnect":
      response.destroy();
      return;
    case "slow":
      await sleep(SLOW_MS);
      break;
    case "truncate":
    case "normal":
      break;
  }
  const body =
    reply.transport === "truncate" ? reply.body.slice(0, Math.floor(reply.body.length / 2)) : reply.body;
  response.writeHead(reply.status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    ...headers,
    ...reply.headers,
  });
  response.end(body);
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || /^(::ffff:)?127\./.test(address));
}

function pathParts(path: string, prefix: string): string[] {
  return path
    .slice(prefix.length)
    .split("/")
    .filter((part) => part !== "")
    .map((part) => decodedPart(part) ?? part);
}

/** PostgreSQL's text cannot hold this character. */
function refuseNul(form: string): void {
  if (form.includes("%00") || form.includes("\0"))
    throw invalidRequest("Invalid request: it holds a NUL character.");
}

/** The parts of a path that may name objects. What cannot be a name never reaches the database. */
function idPath(path: string, prefix: string): string[] {
  return path
    .slice(prefix.length)
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      const decoded = decodedPart(part);
      if (decoded !== undefined && !decoded.includes("\0")) return decoded;
      throw invalidRequest("Invalid request: the path is not well-formed.");
    });
}

function decodedPart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

async function answerStripe(
  parts: ListenerParts,
  request: http.IncomingMessage,
  path: string,
  query: string,
  requestId: string,
): Promise<Reply> {
  const { method = "GET", headers } = request;
  try {
    const body = await bodyOf(request);
    parts.checkKey(headers.authorization);
    if (!path.startsWith("/v1/")) {
      throw new StripeError(404, "invalid_request_error", `Unrecognized request URL (${method}: ${path}).`);
    }
    if (body !== "" && headers["content-type"]?.includes("json") === true) {
      throw invalidRequest("Invalid request: the /v1 API takes form-encoded bodies, not JSON.");
    }
    const form = body === "" ? query : body;
    refuseNul(form);
    const { values, canonical } = decodeForm(form);
    const { latency_ms } = parts.faults.current;
    if (latency_ms > 0) await sleep(latency_ms);
    const key = method === "POST" ? oneHeader(headers["idempotency-key"]) : undefined;
    return await parts.stripe({
      method,
      path: idPath(path, "/v1/"),
      params: values,
      request_id: requestId,
      idempotency_key: key ?? null,
      origin: `http://${headers.host ?? "127.0.0.1"}`,
      fingerprint: key === undefined ? "" : fingerprintOf(method, path, canonical),
    });
  } catch (error) {
    return error instanceof FaultStrike ? strikeReply(error.fault) : errorReply(error);
  }
}

async function answerPage(parts: ListenerParts, request: http.IncomingMessage, path: string): Promise<Reply> {
  try {
    const { values } = decodeForm(await bodyOf(request));
    const { latency_ms } = parts.faults.current;
    if (latency_ms > 0) await sleep(latency_ms);
    return await parts.page({
      method: request.method ?? "GET",
      path: pathParts(path, "/c/"),
      params: values,
    });
  } catch (error) {
    return error instanceof FaultStrike ? strikeReply(error.fault) : errorReply(error);
  }
}

async function answerAdmin(
  parts: ListenerParts,
  request: http.IncomingMessage,
  path: string,
  query: string,
): Promise<Reply> {
  if (!isLoopback(request.socket.remoteAddress)) {
    return { status: 403, body: '{"error":{"message":"only for this machine"}}', transport: "normal" };
  }
  try {
    const body = await bodyOf(request);
    refuseNul(query);
    return await parts.admin({
      method: request.method ?? "GET",
      path: pathParts(path, "/_simulator/"),
      query: decodeForm(query).values,
      body,
    });
  } catch (error) {
    return errorReply(error);
  }
}

async function handle(
  parts: ListenerParts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? "" : url.slice(mark + 1);
  if (path.startsWith("/_simulator/")) {
    await send(response, await answerAdmin(parts, request, path, query), {});
    return;
  }
  if (path.startsWith("/c/")) {
    await send(response, await answerPage(parts, request, path), {});
    return;
  }
  if (path.startsWith("/adyen/")) {
    const { method = "GET", headers } = request;
    const reply = await parts.adyen({
      method,
      path,
      headers,
      body: await bodyOf(request),
      base_url: `http://${headers.host ?? "127.0.0.1"}`,
    });
    await send(response, reply, {});
    return;
  }
  const requestId = `req_${randomText(14)}`;
  const reply = await answerStripe(parts, request, path, query, requestId);
  const headers: Record<string, string> = {
    "Request-Id": requestId,
    "Stripe-Version": oneHeader(request.headers["stripe-version"]) ?? API_VERSION,
  };
  const key = oneHeader(request.headers["idempotency-key"]);
  if (key !== undefined) headers["Idempotency-Key"] = key;
  if (reply.status === 401) headers["WWW-Authenticate"] = 'Bearer realm="Stripe"';
  await send(response, reply, headers);
}

/** The HTTP side: reads the request, answers it, and misbehaves where a fault asks for it. */
export function requestListener(parts: ListenerParts): http.RequestListener {
  return (request, response) => {
    handle(parts, request, response).catch((error: unknown) => {
      errorReply(error);
      response.destroy();
    });
  };
}
