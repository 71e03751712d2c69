import type { Static, TSchema } from "typebox";
import Value from "typebox/value";

/** An answer, or that none came: then the status is 0. */
export type Answer = {
  readonly status: number;
  readonly text: string;
  readonly is_replay: boolean;
  readonly location?: string | null;
};

export type HttpClientOptions = {
  readonly service_url: string;
  readonly simulator_url: string;
  readonly api_key: string;
  readonly psp_key: string;
  /** Cancels everything in progress. */
  readonly signal: AbortSignal;
};

type Sending = {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly patience_ms?: number;
};

const no_answer: Answer = { status: 0, text: "", is_replay: false };
const patience_ms_max = 15_000;

/** Speaks to the service, to the simulator as PSP, and to the simulator as the one who knows what really happened. */
export class HttpClient {
  readonly #options: HttpClientOptions;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  api(method: "GET" | "POST", path: string, sending: Sending = {}): Promise<Answer> {
    const authorization = `Bearer ${this.#options.api_key}`;
    const type = sending.body === undefined ? {} : { "content-type": "application/json" };
    return this.#send(`${this.#options.service_url}/api/v1${path}`, method, {
      ...sending,
      headers: { authorization, ...type, ...sending.headers },
    });
  }

  /** Sends a webhook, without an API key. */
  webhook(path: string, body: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
    return this.#send(`${this.#options.service_url}/api/v1/webhooks/${path}`, "POST", {
      body,
      headers: { "content-type": "application/json", ...headers },
    });
  }

  /** A request to the PSP, as the platform's own page at it would send it. */
  psp(method: "GET" | "POST", path: string, form: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const authorization = `Bearer ${this.#options.psp_key}`;
    const text = new URLSearchParams(form).toString();
    const url = `${this.#options.simulator_url}/v1/${path}`;
    if (method === "GET") return this.#send(`${url}?${text}`, method, { headers: { authorization } });
    return this.#send(url, method, {
      body: text,
      headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
    });
  }

  /** A form sent from a page of the PSP by a browser; where it leads is told, not followed. */
  page(url: string, form: Readonly<Record<string, string>>): Promise<Answer> {
    return this.#send(url, "POST", {
      body: new URLSearchParams(form).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
  }

  /** Our own page for a buyer: no key. */
  status(path: string): Promise<Answer> {
    return this.#send(`${this.#options.service_url}${path}`, "GET", {});
  }

  /** The simulator's admin routes. */
  simulator(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> {
    return this.#send(
      `${this.#options.simulator_url}/_simulator/${path}`,
      method,
      body === undefined ? {} : { body: JSON.stringify(body) },
    );
  }

  async #send(
    url: string,
    method: string,
    { body, headers = {}, patience_ms = patience_ms_max }: Sending,
  ): Promise<Answer> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    try {
      const response = await fetch(url, {
        method,
        headers,
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience_ms)]),
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      return {
        status: response.status,
        text,
        is_replay: response.headers.get("idempotent-replayed") === "true",
        location: response.headers.get("location"),
      };
    } catch (error) {
      signal.throwIfAborted();
      // Refused, cut off, or not waited for: in each case the outcome of the request is unknown.
      if (error instanceof Error) return no_answer;
      throw error;
    }
  }
}

/** The text as JSON of this shape, undefined when it is anything else. */
export function read<Schema extends TSchema>(text: string, schema: Schema): Static<Schema> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(schema, value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
