import { randomUUID } from "node:crypto";
import { hmacValidator } from "@adyen/api-library";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn } from "./requests.ts";

const hmac_key = "c4".repeat(32);
let stack: TestStack;
/** Adyen sends nothing by itself here: each notification is sent when the test says so. */
beforeAll(async () => {
  const simulatorPort = await freePort();
  const adyen = { name: "adyen", kind: "adyen", secret_key_env: "ADYEN_KEY", webhook_secrets_env: "ADYEN_HMAC", merchant_account: "SimulatorMerchant", has_multiple_partial_captures: true, return_url: "https://shop.example/", api_base: `http://127.0.0.1:${simulatorPort}/adyen` };
  stack = await startTestStack({
    environment: { SIMULATOR_PORT: String(simulatorPort), ADYEN_KEY: "adyen_test_simulator", ADYEN_HMAC: hmac_key, PSP_ACCOUNTS: JSON.stringify([adyen]), PSP_TIMEOUT_SECONDS: "4" },
  });
});
afterAll(() => stack.stopAll());

type Item = { readonly eventCode: string; readonly merchantReference: string; readonly success: boolean; readonly pspReference?: string; readonly value?: number };
/** The reference of the notification. */
async function notify({ success, value = 3_000, pspReference = randomUUID().slice(0, 16), ...told }: Item): Promise<string> {
  const item = { ...told, pspReference, success: String(success), amount: { value, currency: "USD" }, eventDate: "2026-01-01T12:00:00+01:00", merchantAccountCode: "SimulatorMerchant", operations: [], paymentMethod: "visa", reason: "" };
  const hmacSignature = new hmacValidator().calculateHmac(item as never, hmac_key);
  const reply = await stack.call("POST", "/webhooks/adyen", { live: "false", notificationItems: [{ NotificationRequestItem: { ...item, additionalData: { hmacSignature } } }] });
  expect(reply.status).toBe(200);
  return pspReference;
}

/** An authorisation of 100.00 under which a capture of 30.00 waits for Adyen's word. */
async function capturing(): Promise<{ id: string; attempt_id: string; modification_id: string }> {
  const { order_ids: [id] } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }]);
  const order = await orderIn(stack, id, "AUTHORIZED");
  await stack.call("POST", `/payments/${id}/capture`, { capture_id: "one", amount: "30.00", is_final: false });
  await expect.poll(() => stack.db.asOwner("select status from payment_modifications where payment_order_id = $1", [id]), { timeout: 10_000 }).toEqual([{ status: "pending" }]);
  const [modification] = await stack.db.asOwner("select modification_id from payment_modifications where payment_order_id = $1", [id]);
  return { id, attempt_id: String(order.attempts[0]?.attempt_id), modification_id: String(modification?.["modification_id"]) };
}
const inboxOf = (pspReference: string): Promise<unknown[]> => stack.db.asOwner("select state from webhook_inbox where psp_event_id like '%' || $1 || '%'", [pspReference]);
const lettersAbout = async (id: string): Promise<unknown[]> => ((await stack.call("GET", "/dead_letters")).json["data"] as { subject_id: string; reason: string }[]).filter(({ subject_id }) => subject_id === id);

test("an authorisation that ends while a capture is under way ends when Adyen has told of the capture: paid with it", async () => {
  const { id, attempt_id, modification_id } = await capturing();
  const expiry = await notify({ eventCode: "EXPIRE", merchantReference: attempt_id, success: true, value: 7_000 });
  await expect.poll(() => inboxOf(expiry), { timeout: 10_000 }).toEqual([{ state: "applied" }]);
  expect((await stack.call("GET", `/payments/${id}`)).json).toMatchObject({ status: "AUTHORIZED" });
  await notify({ eventCode: "CAPTURE", merchantReference: modification_id, success: true });
  expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "30.00" });
});

test("or given up, if the capture was too late", async () => {
  const { id, attempt_id, modification_id } = await capturing();
  await notify({ eventCode: "EXPIRE", merchantReference: attempt_id, success: true });
  await expect.poll(() => stack.db.asOwner("select authorization_ended_as from payment_attempts where attempt_id = $1", [attempt_id]), { timeout: 10_000 }).toEqual([{ authorization_ended_as: "expired" }]);
  await notify({ eventCode: "CAPTURE", merchantReference: modification_id, success: false });
  expect(await orderIn(stack, id, "CANCELED")).toMatchObject({ status_cause: "expired", captured_amount: "0.00", modifications: [{ status: "failed" }] });
});

test("what Adyen tells under its own reference before we have heard that is kept until we have", async () => {
  const { order_ids: [id] } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }]);
  const { attempts: [attempt] } = await orderIn(stack, id, "AUTHORIZED");
  await stack.setFaults({ latency_ms: 2_500 });
  await stack.call("POST", `/payments/${id}/capture`, { capture_id: "slow", amount: "30.00" });
  await expect.poll(() => stack.db.asOwner("select status from payment_modifications where payment_order_id = $1", [id])).toEqual([{ status: "executing" }]);
  const told = await notify({ eventCode: "CAPTURE", merchantReference: String(attempt?.attempt_id), success: false });
  await expect.poll(() => inboxOf(told), { timeout: 2_000 }).toEqual([{ state: "unmatched" }]);
  await stack.setFaults({ latency_ms: 0 });
});

test("a capture that a person makes at Adyen of a payment that is over here is a case for a person", async () => {
  const { id, attempt_id } = await capturing();
  await notify({ eventCode: "EXPIRE", merchantReference: attempt_id, success: true });
  const [modification] = await stack.db.asOwner("select modification_id from payment_modifications where payment_order_id = $1", [id]);
  await notify({ eventCode: "CAPTURE", merchantReference: String(modification?.["modification_id"]), success: false });
  await orderIn(stack, id, "CANCELED");
  await notify({ eventCode: "CAPTURE", merchantReference: attempt_id, success: true });
  await expect.poll(() => lettersAbout(id), { timeout: 10_000 }).toContainEqual(expect.objectContaining({ reason: expect.stringContaining("nobody here asked for") as string }));
});
