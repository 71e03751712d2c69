import Stripe from "stripe";
import { HttpTimeoutError, type HttpResponse, type PspHttpClient } from "../http-client.ts";

/** Plugs our HTTP client into Stripe's SDK. */
export class StripeHttpClient extends Stripe.HttpClient {
  readonly #client: PspHttpClient;

  constructor(client: PspHttpClient) {
    super();
    this.#client = client;
  }

  override getClientName(): string {
    return "undici";
  }

  override async makeRequest(
    _host: string,
    _port: string,
    path: string,
    method: string,
    headers: Record<string, string | number | string[]>,
    body: string,
    _protocol: string,
    timeout_ms: number,
  ): Promise<StripeHttpResponse> {
    const texts: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers)) texts[name] = String(value);
    return new StripeHttpResponse(
      await this.#client.request({ path, method, headers: texts, body, timeout_ms }),
    );
  }
}

class StripeHttpResponse extends Stripe.HttpClientResponse {
  readonly #body: string | Error;

  constructor(answer: HttpResponse) {
    super(
      answer.status,
      Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)])),
    );
    this.#body = answer.body;
  }

  override getRawResponse(): object {
    return {};
  }

  override toStream(): never {
    throw new Error("no call of ours reads a stream");
  }

  /** A body that broke off says nothing about the charge: the SDK makes a connection error of it. */
  override async toJSON(): Promise<unknown> {
    if (typeof this.#body !== "string") {
      throw Stripe.HttpClient.makeResponseBodyError(
        this.#body instanceof HttpTimeoutError ? Stripe.HttpClient.makeTimeoutError() : this.#body,
      );
    }
    const value: unknown = JSON.parse(this.#body);
    // The SDK takes any JSON for an object: a text made it wait for ever, null made it throw a bug's error.
    if (typeof value !== "object" || value === null)
      throw Stripe.HttpClient.makeResponseBodyError(new Error("The answer is no JSON object."));
    return value;
  }
}
