import Stripe from "stripe";
import { HttpTimeoutError, type HttpAnswer, type PspHttpClient } from "../http-client.ts";

/** Our HTTP client in the SDK's place for one's own. */
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
    _host: string, _port: string, path: string, method: string, headers: Record<string, string | number | string[]>,
    requestData: string, _protocol: string, timeout: number,
  ): Promise<StripeHttpResponse> {
    const texts = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    return new StripeHttpResponse(await this.#client.request({ path, method, headers: texts, body: requestData, timeout_ms: timeout }));
  }
}

class StripeHttpResponse extends Stripe.HttpClientResponse {
  readonly #answer: HttpAnswer;

  constructor(answer: HttpAnswer) {
    super(answer.status, answer.headers);
    this.#answer = answer;
  }

  override getRawResponse(): object {
    return {};
  }

  override toStream(): never {
    throw new Error("no call of ours reads a stream");
  }

  /** An answer that nobody reads must still give its connection back. */
  dispose(): void {
    this.#answer.text().catch(() => undefined);
  }

  /** A body that breaks off says nothing about the charge: the SDK makes a connection error of it. */
  override async toJSON(): Promise<unknown> {
    const text = await this.#answer.text().catch((error: unknown) => {
      throw Stripe.HttpClient.makeResponseBodyError(error instanceof HttpTimeoutError ? Stripe.HttpClient.makeTimeoutError() : error);
    });
    return JSON.parse(text);
  }
}
