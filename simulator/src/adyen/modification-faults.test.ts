import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openAdyenShop, payment, type AdyenShop, type Answer } from "../../../test/support/adyen-shop.ts";
import { MODIFICATION_FAULT_NAMES } from "../fault-names.ts";
import { admin, summary, until } from "../testing.ts";

let shop: AdyenShop;
beforeAll(async () => {
  shop = await openAdyenShop();
});
beforeEach(() => shop.forgetNotifications());
afterEach(() => admin(shop.url, "reset", {}));
afterAll(() => shop.close());

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
    const reference = await shop.pay();
    const seen = async (call: Promise<Answer>): Promise<number | "nothing"> =>
      (await call.catch(() => null))?.status ?? "nothing";
    const decided = (): string[] =>
      shop.received.flatMap((item) =>
        item["eventCode"] === "AUTHORISATION"
          ? []
          : [`${String(item["eventCode"])} ${String(item["success"])}`],
      );
    // For an answer that is late or never comes.
    const patienceMs = fault === "slow" || fault.startsWith("timeout") ? 500 : 10_000;
    await admin(shop.url, "faults", { next_modifications: [{ fault, count: 1 }] });
    expect(await seen(shop.capture(reference, 400, {}, "key-1", patienceMs))).toBe(sees);
    expect((await summary(shop.url)).charges).toBe(happened ? 1 : 0);
    expect(await seen(shop.capture(reference, 400, {}, "key-1"))).toBe(then === "executes" ? 201 : then);
    const captures = happened || then === "executes" ? 1 : 0;
    expect((await summary(shop.url)).charges).toBe(captures);
    await until(() => decided().length === captures);

    await admin(shop.url, "faults", { next_modifications: [{ fault, count: 1 }] });
    expect(await seen(shop.cancel(reference, {}, "key-2", patienceMs))).toBe(sees);
    expect(await seen(shop.cancel(reference, {}, "key-2"))).toBe(then === "executes" ? 201 : then);
    // Whether it was canceled, the next cancel tells.
    expect(await shop.outcomeOf(await shop.cancel(reference))).toMatchObject({
      success: captures === 1 ? "false" : "true",
    });
    expect(decided().toSorted()).toEqual(
      captures === 1 ? ["CANCELLATION false", "CANCELLATION true", "CAPTURE true"] : ["CANCELLATION true"],
    );
  },
);

test("a fault of modifications leaves payments alone, and one of payments modifications", async () => {
  await admin(shop.url, "faults", {
    next: [{ fault: "429", count: 1 }],
    next_modifications: [{ fault: "500_before", count: 1 }],
  });
  expect((await shop.post("/payments", payment())).status).toBe(429);
  const reference = await shop.pay();
  expect((await shop.capture(reference, 1)).status).toBe(500);
  expect((await shop.capture(reference, 1)).status).toBe(201);
});
