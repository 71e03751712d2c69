import type { ClientConfig, RequestOptions } from "./library.ts";
import type { HttpResponse, PspHttpClient } from "../http-client.ts";

/** An answer that is not a result: an error from Adyen, or a body that cannot be read. */
export class AdyenAnswerError extends Error {
  readonly status: number;
  /** Adyen's number of the error; undefined when the body is not in its format. */
  readonly error_code: string | undefined;
  readonly headers: HttpResponse["headers"];

  constructor(answer: HttpResponse) {
    super(`Adyen answered ${answer.status}`);
    this.status = answer.status;
    this.headers = answer.headers;
    const code = jsonObjectOf(answer.body)?.["errorCode"];
    this.error_code = typeof code === "string" ? code : undefined;
  }
}

/**
 * Plugs our HTTP client into Adyen's library. It reads the body itself: the library would take any text for
 * an answer.
 */
export class AdyenHttpClient {
  readonly #client: PspHttpClient;
  readonly #path_prefix: string;
  readonly #timeout_ms: number;

  /** `path_prefix`: what precedes the library's paths if the API is not at Adyen. */
  constructor(client: PspHttpClient, options: { path_prefix: string; timeout_ms: number }) {
    this.#client = client;
    this.#path_prefix = options.path_prefix;
    this.#timeout_ms = options.timeout_ms;
  }

  /** The body of a 2xx answer. Errors with `AdyenAnswerError`, or as `PspHttpClient` does. */
  async request(
    endpoint: string,
    json: string | Buffer,
    config: ClientConfig,
    _isApiKeyRequired: boolean,
    options: RequestOptions = {},
  ): Promise<string> {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      "x-api-key": config.apiKey ?? "",
    };
    if (options.idempotencyKey !== undefined) headers["idempotency-key"] = options.idempotencyKey;
    const answer = await this.#client.request({
      path: `${this.#path_prefix}${new URL(endpoint).pathname}`,
      method: options.method ?? "POST",
      headers,
      body: json.toString(),
      timeout_ms: this.#timeout_ms,
    });
    const isResult = answer.status >= 200 && answer.status < 300 && jsonObjectOf(answer.body) !== undefined;
    if (!isResult || typeof answer.body !== "string") throw new AdyenAnswerError(answer);
    return answer.body;
  }
}

function jsonObjectOf(body: HttpResponse["body"]): Record<string, unknown> | undefined {
  if (typeof body !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
