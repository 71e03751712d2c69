import { once } from "node:events";
import http from "node:http";
import { hmacValidator } from "@adyen/api-library";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { admin, openSimulator, summary, tokenCharge, until, type TestSimulator } from "../testing.ts";

const hmac_key = "C3".repeat(32);

/** A webhook endpoint that answers with the next of `statuses`, then 200. */
const received: {
  live: string;
  notificationItems: { NotificationRequestItem: Record<string, unknown> }[];
}[] = [];
let statuses: number[] = [];
const endpoint = http.createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
  request.on("end", () => {
    received.push(JSON.parse(body) as (typeof received)[number]);
    response.writeHead(statuses.shift() ?? 200).end("[accepted]");
  });
});
const itemsReceived = (): Record<string, unknown>[] =>
  received.flatMap(({ notificationItems }) => notificationItems.map((item) => item.NotificationRequestItem));

let simulator: TestSimulator;
beforeAll(async () => {
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  const address = endpoint.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const webhook = { url: `http://127.0.0.1:${port}/`, hmac_key };
  simulator = await openSimulator({ adyen: { api_key: "adyen-key", merchant_account: "Shop", webhook } });
});
beforeEach(async () => {
  await simulator.restart();
  await admin(simulator.url, "reset", {});
  received.length = 0;
  statuses = [];
});
// A notification whose answer the restart cut off would come again in the next test.
afterEach(() => admin(simulator.url, "reset", {}));
afterAll(async () => {
  await simulator.close();
  endpoint.close();
});

interface Answer {
  status: number;
  text: string;
  body: Record<string, unknown>;
  headers: Headers;
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${simulator.url}/adyen/v72${path}`, {
    method: "POST",
    headers: { "x-api-key": "adyen-key", "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text), headers: response.headers };
}
const payment = (token: string, changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  merchantAccount: "Shop",
  reference: "att_1",
  amount: { value: 1_000, currency: "EUR" },
  returnUrl: "https://shop.example",
  paymentMethod: { type: "scheme", storedPaymentMethodId: token },
  metadata: { payment_order_id: "order-1" },
  ...changes,
});
const pay = (token: string, key?: string, changes: Record<string, unknown> = {}): Promise<Answer> =>
  post("/payments", payment(token, changes), key === undefined ? {} : { "idempotency-key": key });

test("a payment is in the same ledger of effects as Stripe's charges, by metadata and reference", async () => {
  expect((await pay("tok_visa")).body).toMatchObject({
    resultCode: "Authorised",
    merchantReference: "att_1",
    amount: { value: 1_000, currency: "EUR" },
  });
  await simulator.stripe.paymentIntents.create(tokenCharge("tok_visa", { payment_order_id: "order-2" }));
  expect(await summary(simulator.url)).toEqual({ charges: 2, duplicates: 0 });
  expect(await admin(simulator.url, "effects?payment_order_id=order-1")).toMatchObject({
    count: 1,
    amount_by_currency: { EUR: 1_000 },
  });
  expect(await admin(simulator.url, "effects?reference=att_1")).toMatchObject({ count: 1 });
  await pay("tok_visa");
  expect(await summary(simulator.url)).toEqual({ charges: 3, duplicates: 1 });
});

test("notifications carry signatures that Adyen's library accepts, and are refused when a signed field changes", async () => {
  const paid = await pay("tok_visa");
  const declined = await pay("tok_insufficient_funds", undefined, { reference: "att_2" });
  await until(() => received.length === 2);
  const validator = new hmacValidator();
  for (const item of itemsReceived()) {
    expect(validator.validateHMAC(item as never, hmac_key)).toBe(true);
    expect(
      validator.validateHMAC({ ...item, amount: { value: 1, currency: "EUR" } } as never, hmac_key),
    ).toBe(false);
    expect(validator.validateHMAC(item as never, "D4".repeat(32))).toBe(false);
  }
  expect(itemsReceived()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        eventCode: "AUTHORISATION",
        success: "true",
        pspReference: paid.body["pspReference"],
        merchantReference: "att_1",
        amount: { value: 1_000, currency: "EUR" },
      }),
      expect.objectContaining({
        eventCode: "AUTHORISATION",
        success: "false",
        pspReference: declined.body["pspReference"],
        merchantReference: "att_2",
        reason: "Not enough balance",
      }),
    ]),
  );
  expect(
    received.every(({ live, notificationItems }) => live === "false" && notificationItems.length === 1),
  ).toBe(true);
});

test("a notification comes again until it is accepted, also from the next process", async () => {
  statuses = [500];
  await pay("tok_visa");
  await until(() => received.length === 2);
  statuses = [503];
  await pay("tok_visa", undefined, { reference: "att_9" });
  await until(() => received.length === 3);
  await simulator.restart();
  await until(() => received.length === 4);
  expect(itemsReceived().map((item) => item["merchantReference"])).toEqual([
    "att_1",
    "att_1",
    "att_9",
    "att_9",
  ]);
});

test("lost and doubled notifications are faults as at the simulated Stripe", async () => {
  await admin(simulator.url, "faults", { webhooks: { drop_rate: 1 } });
  await pay("tok_visa");
  await admin(simulator.url, "faults", { webhooks: { drop_rate: 0, duplicate_rate: 1 } });
  await pay("tok_visa", undefined, { reference: "att_2" });
  await until(() => received.length === 2);
  expect(itemsReceived().map((item) => item["merchantReference"])).toEqual(["att_2", "att_2"]);
});

test("a key gives its first answer again byte for byte, also in the next process, whatever else is sent", async () => {
  const first = await pay("tok_visa", "key-1");
  const failed = await pay("tok_fault_500_after_charge", "key-2", {
    metadata: { payment_order_id: "order-2" },
  });
  await simulator.restart();
  const again = await pay("tok_card_declined", "key-1");
  expect([again.status, again.text, again.headers.get("idempotency-key")]).toEqual([
    200,
    first.text,
    "key-1",
  ]);
  expect((await pay("tok_visa", "key-2")).text).toBe(failed.text);
  expect(failed.status).toBe(500);
  expect(await summary(simulator.url)).toEqual({ charges: 2, duplicates: 0 });
});

test("a key that is in use is told so, as an error that passes", async () => {
  await admin(simulator.url, "faults", { latency_ms: 0, next: [] });
  const answers = await Promise.all(Array.from({ length: 10 }, () => pay("tok_visa", "key-3")));
  const refused = answers.filter(({ status }) => status === 422);
  for (const { body, headers } of refused) {
    expect(body).toMatchObject({ errorCode: "704" });
    expect(headers.get("transient-error")).toBe("true");
  }
  expect(refused.length).toBeGreaterThan(0);
  expect(await summary(simulator.url)).toEqual({ charges: 1, duplicates: 0 });
});

test("what is refused before it begins leaves the key free", async () => {
  for (const token of ["tok_fault_429", "tok_nobody", "tok_fault_html"])
    expect((await pay(token, "key-4").catch(() => null))?.status).not.toBe(200);
  expect((await pay("tok_visa", "key-4")).body).toMatchObject({ resultCode: "Authorised" });
});

test("a payment that waits for the buyer has no reference, and is decided once when the buyer comes back", async () => {
  const resultOf = async (card: string, word: string): Promise<Record<string, unknown>[]> => {
    const pending = await pay(card);
    expect(pending.body).not.toHaveProperty("pspReference");
    expect(pending.body["resultCode"]).toBe("RedirectShopper");
    const { url } = pending.body["action"] as { url: string };
    const redirectResult = new URL(url).searchParams.get("redirectResult")?.replace("authenticated", word);
    const key = { "idempotency-key": redirectResult ?? "" };
    const first = await post("/payments/details", { details: { redirectResult } }, key);
    expect((await post("/payments/details", { details: { redirectResult } }, key)).text).toBe(first.text);
    const second = await post("/payments/details", { details: { redirectResult } });
    return [first.body, second.body];
  };
  expect(await resultOf("tok_authenticationRequired", "authenticated")).toMatchObject([
    { resultCode: "Authorised" },
    { status: 422 },
  ]);
  expect(await resultOf("tok_authenticationRequired", "failed")).toMatchObject([
    { resultCode: "Refused", refusalReasonCode: "11" },
    { status: 422 },
  ]);
  const refused = await resultOf(
    "tok_authenticationRequiredChargeDeclinedInsufficientFunds",
    "authenticated",
  );
  expect(refused).toMatchObject([{ resultCode: "Refused", refusalReasonCode: "12" }, { status: 422 }]);
  await until(() => received.length === 3);
  expect(await summary(simulator.url)).toEqual({ charges: 1, duplicates: 0 });
});

test.each([
  ["an unknown field", { splits: [] }, 422, "702"],
  ["no amount", { amount: undefined }, 422, "100"],
  ["no reference", { reference: "" }, 422, "130"],
  ["an amount of 0", { amount: { value: 0, currency: "EUR" } }, 422, "137"],
  ["a broken amount", { amount: { value: 1.5, currency: "EUR" } }, 422, "137"],
  ["an unknown currency", { amount: { value: 1, currency: "MGA" } }, 422, "138"],
  ["another account", { merchantAccount: "Other" }, 403, "901"],
  ["a long reference", { reference: "x".repeat(81) }, 422, "130"],
  ["long metadata", { metadata: { a: "x".repeat(81) } }, 422, "177"],
  ["an unknown card", { paymentMethod: { type: "scheme", storedPaymentMethodId: "tok_nobody" } }, 422, "803"],
  [
    "an unknown number",
    { paymentMethod: { type: "scheme", encryptedCardNumber: "test_4242424242424241" } },
    422,
    "101",
  ],
  ["another method", { paymentMethod: { type: "ideal" } }, 422, "905"],
])("%s is refused", async (_what, changes, status, errorCode) => {
  const answer = await pay("tok_visa", undefined, changes);
  expect([answer.status, answer.body["errorCode"]]).toEqual([status, errorCode]);
  expect(await summary(simulator.url)).toEqual({ charges: 0, duplicates: 0 });
});

test("a wrong key, a wrong path and a body that is no JSON are refused in Adyen's format", async () => {
  expect(await post("/payments", payment("tok_visa"), { "x-api-key": "other" })).toMatchObject({
    status: 401,
    body: { errorType: "security" },
  });
  expect((await post("/refunds", {})).status).toBe(404);
  const response = await fetch(`${simulator.url}/adyen/v72/payments`, {
    method: "POST",
    headers: { "x-api-key": "adyen-key" },
    body: "{",
  });
  expect(response.status).toBe(400);
});

test("card numbers of Adyen's test platform and of Stripe are known", async () => {
  const byNumber = (encryptedCardNumber: string): Promise<Answer> =>
    pay("", undefined, { paymentMethod: { type: "scheme", encryptedCardNumber } });
  expect((await byNumber("test_4111111111111111")).body).toMatchObject({ resultCode: "Authorised" });
  expect((await byNumber("test_4000000000000002")).body).toMatchObject({
    resultCode: "Refused",
    refusalReason: "Refused",
    refusalReasonCode: "2",
  });
});

test("a reset forgets keys and notifications", async () => {
  statuses = Array.from({ length: 9 }, () => 500);
  await pay("tok_visa", "key-5");
  await until(() => received.length === 1);
  await admin(simulator.url, "reset", {});
  statuses = [];
  const { body } = await pay("tok_card_declined", "key-5");
  expect(body["resultCode"]).toBe("Refused");
  await until(() => received.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(received).toHaveLength(2);
});
