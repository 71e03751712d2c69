import { once } from "node:events";
import http from "node:http";
import { hmacValidator } from "@adyen/api-library";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { MODIFICATION_FAULT_NAMES } from "../fault-names.ts";
import type { Simulator } from "../server.ts";
import { admin, createTestDatabase, startForTest, summary, until, type TestDatabase } from "../testing.ts";

const hmac_key = "E5".repeat(32);
type Item = Record<string, unknown>;

let received: Item[] = [];
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

let db: TestDatabase;
let simulator: Simulator;
beforeAll(async () => {
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  db = await createTestDatabase();
  const address = endpoint.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const webhook = { url: `http://127.0.0.1:${port}/`, hmac_key };
  simulator = await startForTest(db.url, {
    adyen: { api_key: "adyen-key", merchant_account: "Shop", webhook },
  });
});
beforeEach(() => {
  received = [];
});
afterEach(() => admin(simulator.url, "reset", {}));
afterAll(async () => {
  await simulator.close();
  endpoint.close();
  await db.drop();
});

interface Answer {
  status: number;
  text: string;
  body: Record<string, unknown>;
}

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

const payment = (changes: Item = {}): Item => ({
  merchantAccount: "Shop",
  reference: "att_1",
  amount: { value: 1_000, currency: "EUR" },
  returnUrl: "https://shop.example",
  paymentMethod: { type: "scheme", storedPaymentMethodId: "tok_visa" },
  metadata: { payment_order_id: "order-1" },
  additionalData: { manualCapture: "true" },
  ...changes,
});

/** The reference of a payment of 10.00. */
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

/** The notification about the modification that this answer confirmed. */
async function outcomeOf({ body }: Answer): Promise<Item | undefined> {
  const find = (): Item | undefined => received.find((item) => item["pspReference"] === body["pspReference"]);
  await until(() => find() !== undefined);
  return find();
}

test("with manual capture an authorised payment moves no money, without it all of it at once", async () => {
  const { body } = await post("/payments", payment());
  expect(body).toMatchObject({ resultCode: "Authorised", amount: { value: 1_000, currency: "EUR" } });
  expect(await summary(simulator.url)).toEqual({ charges: 0, duplicates: 0 });
  expect(await outcomeOf({ status: 200, text: "", body })).toMatchObject({
    eventCode: "AUTHORISATION",
    success: "true",
  });
  await pay({ additionalData: { manualCapture: "false" } });
  expect(await summary(simulator.url)).toEqual({ charges: 1, duplicates: 0 });
});

test("an authorisation by a buyer who was authenticated first waits for its capture too", async () => {
  const paymentMethod = { type: "scheme", storedPaymentMethodId: "tok_authenticationRequired" };
  const { body } = await post("/payments", payment({ paymentMethod }));
  const { url } = body["action"] as { url: string };
  const redirectResult = new URL(url).searchParams.get("redirectResult");
  const reference = redirectResult?.replace("authenticated.", "") ?? "";
  expect(await outcomeOf(await capture(reference, 1))).toMatchObject({ success: "false" });
  const { body: paid } = await post("/payments/details", { details: { redirectResult } });
  expect(paid).toMatchObject({ resultCode: "Authorised", pspReference: reference });
  expect(await summary(simulator.url)).toEqual({ charges: 0, duplicates: 0 });
  expect(await outcomeOf(await capture(reference, 1_000))).toMatchObject({ success: "true" });
});

test("captures in parts are received, each one movement of money, until nothing is left", async () => {
  const reference = await pay();
  const first = await capture(reference, 400, { reference: "ship_1" });
  expect(first).toMatchObject({
    status: 201,
    body: {
      merchantAccount: "Shop",
      paymentPspReference: reference,
      reference: "ship_1",
      status: "received",
      pspReference: expect.stringMatching(/^[0-9A-Z]{16}$/),
      amount: { value: 400, currency: "EUR" },
    },
  });
  expect(await outcomeOf(first)).toMatchObject({
    eventCode: "CAPTURE",
    success: "true",
    originalReference: reference,
    merchantReference: "ship_1",
    reason: "",
    amount: { value: 400, currency: "EUR" },
    merchantAccountCode: "Shop",
    paymentMethod: "visa",
  });
  const beyond = await capture(reference, 601);
  expect(beyond).toMatchObject({ status: 201, body: { status: "received" } });
  expect(beyond.body).not.toHaveProperty("reference");
  expect(await outcomeOf(beyond)).toMatchObject({
    eventCode: "CAPTURE",
    success: "false",
    reason: "Insufficient balance on payment",
    merchantReference: "att_1",
  });
  const last = await capture(reference, 600);
  expect(await outcomeOf(last)).toMatchObject({ success: "true" });
  expect(await outcomeOf(await capture(reference, 1))).toMatchObject({ success: "false" });
  const row = {
    kind: "charge_captured",
    payment_intent: reference,
    currency: "EUR",
    metadata: { payment_order_id: "order-1", reference: "att_1" },
  };
  expect(await admin(simulator.url, "effects?payment_order_id=order-1")).toMatchObject({
    count: 2,
    amount_by_currency: { EUR: 1_000 },
    data: [
      { ...row, charge: last.body["pspReference"], amount_minor: 600 },
      { ...row, charge: first.body["pspReference"], amount_minor: 400 },
    ],
  });
  expect(await summary(simulator.url)).toEqual({ charges: 2, duplicates: 0 });
});

test("a cancel releases what is left, once, and nothing can be captured after it", async () => {
  const reference = await pay();
  await capture(reference, 300);
  const first = await cancel(reference, { reference: "void_1" });
  expect(first).toMatchObject({
    status: 201,
    body: {
      merchantAccount: "Shop",
      paymentPspReference: reference,
      reference: "void_1",
      status: "received",
    },
  });
  expect(first.body).not.toHaveProperty("amount");
  expect(await outcomeOf(first)).toMatchObject({
    eventCode: "CANCELLATION",
    success: "true",
    originalReference: reference,
    merchantReference: "void_1",
    amount: { value: 1_000, currency: "EUR" },
  });
  expect(await outcomeOf(await cancel(reference))).toMatchObject({
    eventCode: "CANCELLATION",
    success: "false",
    reason: expect.stringMatching(/./),
    merchantReference: "att_1",
  });
  expect(await outcomeOf(await capture(reference, 1))).toMatchObject({
    eventCode: "CAPTURE",
    success: "false",
  });
  expect(await admin(simulator.url, "effects")).toMatchObject({ count: 1, amount_by_currency: { EUR: 300 } });
});

test("what is captured already, or was never authorised, can be neither captured nor canceled", async () => {
  const drained = await pay();
  await capture(drained, 1_000);
  const atOnce = await pay({ additionalData: {} });
  const refused = await pay({
    paymentMethod: { type: "scheme", storedPaymentMethodId: "tok_card_declined" },
  });
  for (const reference of [drained, atOnce, refused]) {
    expect(await outcomeOf(await capture(reference, 1))).toMatchObject({
      eventCode: "CAPTURE",
      success: "false",
    });
    expect(await outcomeOf(await cancel(reference))).toMatchObject({
      eventCode: "CANCELLATION",
      success: "false",
    });
  }
  expect((await summary(simulator.url)).charges).toBe(2);
});

test("the notifications carry signatures that Adyen's library accepts, over the payment's reference too", async () => {
  const reference = await pay();
  const items = [
    await outcomeOf(await capture(reference, 10)),
    await outcomeOf(await capture(reference, 5_000)),
    await outcomeOf(await cancel(reference)),
  ];
  const validator = new hmacValidator();
  for (const item of items) {
    expect(validator.validateHMAC(item as never, hmac_key)).toBe(true);
    expect(validator.validateHMAC({ ...item, originalReference: "OTHER" } as never, hmac_key)).toBe(false);
    expect(
      validator.validateHMAC(
        { ...item, success: item?.["success"] === "true" ? "false" : "true" } as never,
        hmac_key,
      ),
    ).toBe(false);
  }
  expect(items.map((item) => [item?.["eventCode"], item?.["success"]])).toEqual([
    ["CAPTURE", "true"],
    ["CAPTURE", "false"],
    ["CANCELLATION", "true"],
  ]);
});

test("of captures at the same moment as many succeed as the authorisation allows", async () => {
  const reference = await pay();
  const answers = await Promise.all(Array.from({ length: 10 }, () => capture(reference, 300)));
  const outcomes = await Promise.all(answers.map(outcomeOf));
  expect(answers.every(({ status }) => status === 201)).toBe(true);
  expect(outcomes.filter((item) => item?.["success"] === "true")).toHaveLength(3);
  expect(await admin(simulator.url, "effects")).toMatchObject({ count: 3, amount_by_currency: { EUR: 900 } });
});

test("captures and a cancel at the same moment by two simulators: the money that moved is what was told", async () => {
  const other = await startForTest(db.url, {
    adyen: { api_key: "adyen-key", merchant_account: "Shop", webhook: null },
  });
  for (let round = 0; round < 5; round += 1) {
    const reference = await pay({ reference: `round_${round}` });
    const viaOther = fetch(`${other.url}/adyen/v72/payments/${reference}/captures`, {
      method: "POST",
      headers: { "x-api-key": "adyen-key" },
      body: JSON.stringify({ merchantAccount: "Shop", amount: { value: 600, currency: "EUR" } }),
    });
    const [captured, canceled] = await Promise.all([capture(reference, 600), cancel(reference), viaOther]);
    const [capturing, canceling] = [await outcomeOf(captured), await outcomeOf(canceled)];
    const rows = (await admin(simulator.url, `effects?payment_intent=${reference}`)) as { count: number };
    expect(rows.count).toBeLessThanOrEqual(1);
    if (capturing?.["success"] === "true") expect(rows.count).toBe(1);
    expect(canceling?.["success"]).toBe("true");
  }
  await other.close();
});

test.each([
  ["a capture for another account", "captures", { merchantAccount: "Other" }, 403, "901"],
  ["a cancel for another account", "cancels", { merchantAccount: "Other" }, 403, "901"],
  ["a capture without an amount", "captures", { amount: undefined }, 422, "100"],
  ["a capture of 0", "captures", { amount: { value: 0, currency: "EUR" } }, 422, "137"],
  ["a capture of less than 0", "captures", { amount: { value: -1, currency: "EUR" } }, 422, "137"],
  ["a capture in another currency", "captures", { amount: { value: 1, currency: "USD" } }, 422, "138"],
  ["an unknown field of a capture", "captures", { splits: [] }, 422, "702"],
  ["an amount to cancel", "cancels", { amount: { value: 1, currency: "EUR" } }, 422, "702"],
  ["a long reference", "cancels", { reference: "x".repeat(81) }, 422, "130"],
])("%s is refused", async (_what, path, changes, status, errorCode) => {
  const reference = await pay();
  const amount = path === "captures" ? { amount: { value: 1, currency: "EUR" } } : {};
  const answer = await post(`/payments/${reference}/${path}`, {
    merchantAccount: "Shop",
    ...amount,
    ...changes,
  });
  expect([answer.status, answer.body["errorCode"]]).toEqual([status, errorCode]);
  expect((await summary(simulator.url)).charges).toBe(0);
  await until(() => received.length > 0);
  expect(received.map((item) => item["eventCode"])).toEqual(["AUTHORISATION"]);
});

test("a payment that nobody made can be neither captured nor canceled", async () => {
  for (const reference of ["ABCDEFGHIJKLMNOP", "%00", "%"]) {
    for (const answer of [await capture(reference, 1), await cancel(reference)]) {
      expect(answer).toMatchObject({
        status: 422,
        body: { errorCode: "167", message: "Original pspReference required for this operation" },
      });
    }
  }
});

test("manual capture is asked for in the words 'true' and 'false', and nothing else is known beside it", async () => {
  for (const additionalData of [
    { manualCapture: true },
    { manualCapture: "yes" },
    { manualCapture: "true", "riskdata.deliveryMethod": "x" },
    "true",
  ]) {
    expect(await post("/payments", payment({ additionalData }))).toMatchObject({
      status: 422,
      body: { errorCode: "702" },
    });
  }
});

test("a key gives its first answer again, whatever else is sent", async () => {
  const reference = await pay();
  const first = await capture(reference, 100, {}, "key-1");
  const again = await capture(reference, 200, {}, "key-1");
  expect([again.status, again.text]).toEqual([201, first.text]);
  expect((await cancel(reference, {}, "key-1")).text).toBe(first.text);
  expect(await admin(simulator.url, "effects")).toMatchObject({ count: 1, amount_by_currency: { EUR: 100 } });
});

const TABLE = [
  // fault, what the client sees, whether it happened, what the same key gives then
  ["timeout_before_charge", "nothing", false, "executes"],
  ["timeout_after_charge", "nothing", true, 201],
  ["disconnect_before_charge", "nothing", false, "executes"],
  ["disconnect_after_charge", "nothing", true, 201],
  ["500_before", 500, false, 500],
  ["500_after_charge", 500, true, 500],
  ["500_rolled_forward", 500, false, 500],
  ["429", 429, false, "executes"],
  ["html", "nothing", false, "executes"],
  ["truncated", "nothing", true, 201],
  ["slow", "nothing", true, 201],
] as const;

test("every fault of modifications is in the table", () => {
  expect(TABLE.map(([fault]) => fault).toSorted()).toEqual(MODIFICATION_FAULT_NAMES.toSorted());
});

test.each(TABLE)(
  "%s strikes a capture and a cancel: the client sees %s, it happened: %s, the same key: %s",
  async (fault, sees, happened, then) => {
    const reference = await pay();
    const seen = async (call: Promise<Answer>): Promise<number | "nothing"> =>
      (await call.catch(() => null))?.status ?? "nothing";
    const decided = (): string[] =>
      received.flatMap((item) =>
        item["eventCode"] === "AUTHORISATION"
          ? []
          : [`${String(item["eventCode"])} ${String(item["success"])}`],
      );
    // For an answer that is late or never comes.
    const patienceMs = fault === "slow" || fault.startsWith("timeout") ? 500 : 10_000;
    await admin(simulator.url, "faults", { next_modifications: [{ fault, count: 1 }] });
    expect(await seen(capture(reference, 400, {}, "key-1", patienceMs))).toBe(sees);
    expect((await summary(simulator.url)).charges).toBe(happened ? 1 : 0);
    expect(await seen(capture(reference, 400, {}, "key-1"))).toBe(then === "executes" ? 201 : then);
    const captures = happened || then === "executes" ? 1 : 0;
    expect((await summary(simulator.url)).charges).toBe(captures);
    await until(() => decided().length === captures);

    await admin(simulator.url, "faults", { next_modifications: [{ fault, count: 1 }] });
    expect(await seen(cancel(reference, {}, "key-2", patienceMs))).toBe(sees);
    expect(await seen(cancel(reference, {}, "key-2"))).toBe(then === "executes" ? 201 : then);
    // Whether it was canceled, the next cancel tells.
    expect(await outcomeOf(await cancel(reference))).toMatchObject({
      success: captures === 1 ? "false" : "true",
    });
    expect(decided().toSorted()).toEqual(
      captures === 1 ? ["CANCELLATION false", "CANCELLATION true", "CAPTURE true"] : ["CANCELLATION true"],
    );
  },
);

test("a fault of modifications leaves payments alone, and one of payments modifications", async () => {
  await admin(simulator.url, "faults", {
    next: [{ fault: "429", count: 1 }],
    next_modifications: [{ fault: "500_before", count: 1 }],
  });
  expect((await post("/payments", payment())).status).toBe(429);
  const reference = await pay();
  expect((await capture(reference, 1)).status).toBe(500);
  expect((await capture(reference, 1)).status).toBe(201);
});
