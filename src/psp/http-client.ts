import { Pool, type Dispatcher } from "undici";

/** Codes of an error that mean: no byte of the request left. A reset connection is not among them. */
export const neverConnectedCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

export type HttpRequest = {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For the whole exchange, from waiting for a connection to the end of the body. */
  readonly timeout_ms: number;
};

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export type HttpResponse = {
  readonly status: number;
  readonly headers: Headers;
  /** The text, or why it broke off after the headers had arrived. */
  readonly body: string | Error;
};

/** A request that took longer than allowed; the PSP may have acted on it. */
export class HttpTimeoutError extends Error {
  readonly code = "ETIMEDOUT";
}

/**
 * HTTP/1.1 to one PSP over keep-alive connections; the PSPs' SDKs are given this client. With it a call
 * through Stripe's SDK takes 165 µs of CPU, with `node:http` 300. Errors before an answer carry a code: one
 * of `neverConnectedCodes`, CONNECTION_BROKEN, ETIMEDOUT.
 */
export class PspHttpClient {
  readonly #pool: Pool;

  constructor(options: { origin: string; connections_max: number }) {
    this.#pool = new Pool(options.origin, {
      connections: options.connections_max,
      pipelining: 1,
      connect: { timeout: 5_000 },
      // One timer of ours bounds the whole exchange.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  request(httpRequest: HttpRequest): Promise<HttpResponse> {
    const { path, method, headers, body } = httpRequest;
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(httpRequest.timeout_ms, resolve, reject);
      this.#pool.dispatch(
        { path, method: methodOf(method), headers, body: body === "" ? null : body },
        exchange,
      );
    });
  }
}

function methodOf(method: string): "GET" | "POST" | "PUT" | "PATCH" | "DELETE" {
  switch (method) {
    case "GET":
    case "POST":
    case "PUT":
    case "PATCH":
    case "DELETE":
      return method;
    default:
      throw new Error(`no PSP is called with ${method}`);
  }
}

/** One request and its answer, given to the caller exactly once. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: HttpResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #timeout: HttpTimeoutError | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #head: { readonly status: number; readonly headers: Headers } | undefined;
  readonly #chunks: Buffer[] = [];

  constructor(timeout_ms: number, resolve: (answer: HttpResponse) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => {
      this.#timeout = new HttpTimeoutError(`no answer within ${timeout_ms} ms`);
      this.#controller?.abort(this.#timeout);
      this.#fail(this.#timeout);
    }, timeout_ms);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#timeout === undefined) this.#controller = controller;
    else controller.abort(this.#timeout);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // 1xx only announces that an answer will follow.
    if (status >= 200) this.#head = { status, headers };
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [first, ...others] = this.#chunks;
    const body = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#chunks);
    this.#end(body.toString("utf8"));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#head !== undefined) return this.#end(error);
    clearTimeout(this.#timer);
    this.#reject(withoutHiddenRetry(error));
  }

  #end(body: string | Error): void {
    clearTimeout(this.#timer);
    if (this.#head !== undefined) this.#resolve({ ...this.#head, body });
  }
}

const brokenCodes: ReadonlySet<unknown> = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

/**
 * A broken connection under a code that no SDK knows. Stripe's repeats a request by itself after
 * ECONNRESET, whatever it is told, and shows the second one's failure only: a charge whose answer was
 * lost, then "connection refused", looked as if nothing had been sent, and was charged again.
 */
function withoutHiddenRetry(error: Error): Error {
  const isBroken = "code" in error && brokenCodes.has(error.code);
  if (!isBroken) return error;
  return Object.assign(new Error(error.message, { cause: error }), { code: "CONNECTION_BROKEN" });
}
