import { hmacValidator } from "@adyen/api-library";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { hmac_key, openAdyenShop, payment, type AdyenShop } from "../../../test/support/adyen-shop.ts";
import { admin, startForTest, summary } from "../testing.ts";

let shop: AdyenShop;
beforeAll(async () => {
  shop = await openAdyenShop();
});
beforeEach(() => shop.forgetNotifications());
afterEach(() => admin(shop.url, "reset", {}));
afterAll(() => shop.close());

test("with manual capture an authorised payment moves no money, without it all of it at once", async () => {
  const { body } = await shop.post("/payments", payment());
  expect(body).toMatchObject({ resultCode: "Authorised", amount: { value: 1_000, currency: "EUR" } });
  expect(await summary(shop.url)).toEqual({ charges: 0, duplicates: 0 });
  expect(await shop.outcomeOf({ status: 200, text: "", body })).toMatchObject({
    eventCode: "AUTHORISATION",
    success: "true",
  });
  await shop.pay({ additionalData: { manualCapture: "false" } });
  expect(await summary(shop.url)).toEqual({ charges: 1, duplicates: 0 });
});

test("an authorisation by a buyer who was authenticated first waits for its capture too", async () => {
  const paymentMethod = { type: "scheme", storedPaymentMethodId: "tok_authenticationRequired" };
  const { body } = await shop.post("/payments", payment({ paymentMethod }));
  const { url } = body["action"] as { url: string };
  const redirectResult = new URL(url).searchParams.get("redirectResult");
  const reference = redirectResult?.replace("authenticated.", "") ?? "";
  expect(await shop.outcomeOf(await shop.capture(reference, 1))).toMatchObject({ success: "false" });
  const { body: paid } = await shop.post("/payments/details", { details: { redirectResult } });
  expect(paid).toMatchObject({ resultCode: "Authorised", pspReference: reference });
  expect(await summary(shop.url)).toEqual({ charges: 0, duplicates: 0 });
  expect(await shop.outcomeOf(await shop.capture(reference, 1_000))).toMatchObject({ success: "true" });
});

test("captures in parts are received, each one movement of money, until nothing is left", async () => {
  const reference = await shop.pay();
  const first = await shop.capture(reference, 400, { reference: "ship_1" });
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
  expect(await shop.outcomeOf(first)).toMatchObject({
    eventCode: "CAPTURE",
    success: "true",
    originalReference: reference,
    merchantReference: "ship_1",
    reason: "",
    amount: { value: 400, currency: "EUR" },
    merchantAccountCode: "Shop",
    paymentMethod: "visa",
  });
  const beyond = await shop.capture(reference, 601);
  expect(beyond).toMatchObject({ status: 201, body: { status: "received" } });
  expect(beyond.body).not.toHaveProperty("reference");
  expect(await shop.outcomeOf(beyond)).toMatchObject({
    eventCode: "CAPTURE",
    success: "false",
    reason: "Insufficient balance on payment",
    merchantReference: "att_1",
  });
  const last = await shop.capture(reference, 600);
  expect(await shop.outcomeOf(last)).toMatchObject({ success: "true" });
  expect(await shop.outcomeOf(await shop.capture(reference, 1))).toMatchObject({ success: "false" });
  const row = {
    kind: "charge_captured",
    payment_intent: reference,
    currency: "EUR",
    metadata: { payment_order_id: "order-1", reference: "att_1" },
  };
  expect(await admin(shop.url, "effects?payment_order_id=order-1")).toMatchObject({
    count: 2,
    amount_by_currency: { EUR: 1_000 },
    data: [
      { ...row, charge: last.body["pspReference"], amount_minor: 600 },
      { ...row, charge: first.body["pspReference"], amount_minor: 400 },
    ],
  });
  expect(await summary(shop.url)).toEqual({ charges: 2, duplicates: 0 });
});

test("a cancel releases what is left, once, and nothing can be captured after it", async () => {
  const reference = await shop.pay();
  await shop.capture(reference, 300);
  const first = await shop.cancel(reference, { reference: "void_1" });
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
  expect(await shop.outcomeOf(first)).toMatchObject({
    eventCode: "CANCELLATION",
    success: "true",
    originalReference: reference,
    merchantReference: "void_1",
    amount: { value: 1_000, currency: "EUR" },
  });
  expect(await shop.outcomeOf(await shop.cancel(reference))).toMatchObject({
    eventCode: "CANCELLATION",
    success: "false",
    reason: expect.stringMatching(/./),
    merchantReference: "att_1",
  });
  expect(await shop.outcomeOf(await shop.capture(reference, 1))).toMatchObject({
    eventCode: "CAPTURE",
    success: "false",
  });
  expect(await admin(shop.url, "effects")).toMatchObject({ count: 1, amount_by_currency: { EUR: 300 } });
});

test("what is captured already, or was never authorised, can be neither captured nor canceled", async () => {
  const drained = await shop.pay();
  await shop.capture(drained, 1_000);
  const atOnce = await shop.pay({ additionalData: {} });
  const refused = await shop.pay({
    paymentMethod: { type: "scheme", storedPaymentMethodId: "tok_card_declined" },
  });
  for (const reference of [drained, atOnce, refused]) {
    expect(await shop.outcomeOf(await shop.capture(reference, 1))).toMatchObject({
      eventCode: "CAPTURE",
      success: "false",
    });
    expect(await shop.outcomeOf(await shop.cancel(reference))).toMatchObject({
      eventCode: "CANCELLATION",
      success: "false",
    });
  }
  expect((await summary(shop.url)).charges).toBe(2);
});

test("the notifications carry signatures that Adyen's library accepts, over the payment's reference too", async () => {
  const reference = await shop.pay();
  const items = [
    await shop.outcomeOf(await shop.capture(reference, 10)),
    await shop.outcomeOf(await shop.capture(reference, 5_000)),
    await shop.outcomeOf(await shop.cancel(reference)),
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
  const reference = await shop.pay();
  const answers = await Promise.all(Array.from({ length: 10 }, () => shop.capture(reference, 300)));
  const outcomes = await Promise.all(answers.map(shop.outcomeOf));
  expect(answers.every(({ status }) => status === 201)).toBe(true);
  expect(outcomes.filter((item) => item?.["success"] === "true")).toHaveLength(3);
  expect(await admin(shop.url, "effects")).toMatchObject({ count: 3, amount_by_currency: { EUR: 900 } });
});

test("captures and a cancel at the same moment by two simulators: the money that moved is what was told", async () => {
  const other = await startForTest(shop.database_url, {
    adyen: { api_key: "adyen-key", merchant_account: "Shop", webhook: null },
  });
  for (let round = 0; round < 5; round += 1) {
    const reference = await shop.pay({ reference: `round_${round}` });
    const viaOther = fetch(`${other.url}/adyen/v72/payments/${reference}/captures`, {
      method: "POST",
      headers: { "x-api-key": "adyen-key" },
      body: JSON.stringify({ merchantAccount: "Shop", amount: { value: 600, currency: "EUR" } }),
    });
    const [captured, canceled] = await Promise.all([
      shop.capture(reference, 600),
      shop.cancel(reference),
      viaOther,
    ]);
    const [capturing, canceling] = [await shop.outcomeOf(captured), await shop.outcomeOf(canceled)];
    const rows = (await admin(shop.url, `effects?payment_intent=${reference}`)) as { count: number };
    expect(rows.count).toBeLessThanOrEqual(1);
    if (capturing?.["success"] === "true") expect(rows.count).toBe(1);
    expect(canceling?.["success"]).toBe("true");
  }
  await other.close();
});

test("a key gives its first answer again, whatever else is sent", async () => {
  const reference = await shop.pay();
  const first = await shop.capture(reference, 100, {}, "key-1");
  const again = await shop.capture(reference, 200, {}, "key-1");
  expect([again.status, again.text]).toEqual([201, first.text]);
  expect((await shop.cancel(reference, {}, "key-1")).text).toBe(first.text);
  expect(await admin(shop.url, "effects")).toMatchObject({ count: 1, amount_by_currency: { EUR: 100 } });
});
