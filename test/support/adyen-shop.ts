import { once } from "node:events";
import http from "node:http";
import { openSimulator, until } from "../../simulator/src/testing.ts";

export const hmac_key = "E5".repeat(32);
type Item = Record<string, unknown>;

export interface Answer {
  status: number;
  text: string;
  body: Record<string, unknown>;
}

/** A shop at a simulated Adyen of its own, which authorises payments of 10.00 and changes them later. */
export interface AdyenShop {
  url: string;
  database_url: string;
  /** What the notifications told, as they came in. */
  received: Item[];
  forgetNotifications(): void;
  post: (path: string, body: unknown, key?: string, timeoutMs?: number) => Promise<Answer>;
  /** The reference of a payment of 10.00. */
  pay: (changes?: Item) => Promise<string>;
  capture: (of: string, value: number, changes?: Item, key?: string, timeoutMs?: number) => Promise<Answer>;
  cancel: (of: string, changes?: Item, key?: string, timeoutMs?: number) => Promise<Answer>;
  /** The notification about the operation that this answer confirmed. */
  outcomeOf: (answer: Answer) => Promise<Item | undefined>;
  close(): Promise<void>;
}

/** A payment of 10.00 by card, to be captured by hand. */
export const payment = (changes: Item = {}): Item => ({
  merchantAccount: "Shop",
  reference: "att_1",
  amount: { value: 1_000, currency: "EUR" },
  returnUrl: "https://shop.example",
  paymentMethod: { type: "scheme", storedPaymentMethodId: "tok_visa" },
  metadata: { payment_order_id: "order-1" },
  additionalData: { manualCapture: "true" },
  ...changes,
});

export async function openAdyenShop(): Promise<AdyenShop> {
  const received: Item[] = [];
  const endpoint = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { notificationItems } = JSON.parse(body) as {
        notificationItems: { NotificationRequestItem: Item }[];
      };
      received.push(...notificationItems.map((item) => item.NotificationRequestItem));
      response.writeHead(200).end("[accepted]");
    });
  });
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  const address = endpoint.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const webhook = { url: `http://127.0.0.1:${port}/`, hmac_key };
  const simulator = await openSimulator({
    adyen: { api_key: "adyen-key", merchant_account: "Shop", webhook },
  });

  async function post(path: string, body: unknown, key?: string, timeoutMs = 10_000): Promise<Answer> {
    const response = await fetch(`${simulator.url}/adyen/v72${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "x-api-key": "adyen-key",
        "content-type": "application/json",
        ...(key === undefined ? {} : { "idempotency-key": key }),
      },
    });
    const text = await response.text();
    return { status: response.status, text, body: JSON.parse(text) };
  }

  const pay = async (changes?: Item): Promise<string> =>
    String((await post("/payments", payment(changes))).body["pspReference"]);
  const capture = (
    of: string,
    value: number,
    changes: Item = {},
    key?: string,
    timeoutMs?: number,
  ): Promise<Answer> =>
    post(
      `/payments/${of}/captures`,
      { merchantAccount: "Shop", amount: { value, currency: "EUR" }, ...changes },
      key,
      timeoutMs,
    );
  const cancel = (of: string, changes: Item = {}, key?: string, timeoutMs?: number): Promise<Answer> =>
    post(`/payments/${of}/cancels`, { merchantAccount: "Shop", ...changes }, key, timeoutMs);

  async function outcomeOf({ body }: Answer): Promise<Item | undefined> {
    const find = (): Item | undefined =>
      received.find((item) => item["pspReference"] === body["pspReference"]);
    await until(() => find() !== undefined);
    return find();
  }

  return {
    url: simulator.url,
    database_url: simulator.database_url,
    received,
    forgetNotifications: () => {
      received.length = 0;
    },
    post,
    pay,
    capture,
    cancel,
    outcomeOf,
    close: async () => {
      await simulator.close();
      endpoint.close();
    },
  };
}
