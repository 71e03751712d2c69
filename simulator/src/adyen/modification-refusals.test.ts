import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openAdyenShop, payment, type AdyenShop } from "../../../test/support/adyen-shop.ts";
import { admin, summary, until } from "../testing.ts";

let shop: AdyenShop;
beforeAll(async () => {
  shop = await openAdyenShop();
});
beforeEach(() => shop.forgetNotifications());
afterEach(() => admin(shop.url, "reset", {}));
afterAll(() => shop.close());

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
  const reference = await shop.pay();
  const amount = path === "captures" ? { amount: { value: 1, currency: "EUR" } } : {};
  const answer = await shop.post(`/payments/${reference}/${path}`, {
    merchantAccount: "Shop",
    ...amount,
    ...changes,
  });
  expect([answer.status, answer.body["errorCode"]]).toEqual([status, errorCode]);
  expect((await summary(shop.url)).charges).toBe(0);
  await until(() => shop.received.length > 0);
  expect(shop.received.map((item) => item["eventCode"])).toEqual(["AUTHORISATION"]);
});

test("a payment that nobody made can be neither captured nor canceled", async () => {
  for (const reference of ["ABCDEFGHIJKLMNOP", "%00", "%"]) {
    for (const answer of [await shop.capture(reference, 1), await shop.cancel(reference)]) {
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
    expect(await shop.post("/payments", payment({ additionalData }))).toMatchObject({
      status: 422,
      body: { errorCode: "702" },
    });
  }
});
