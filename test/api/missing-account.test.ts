import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { deadLettersAbout, unresolvedOrders, type Letter } from "../support/answers.ts";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, path, sentLongAgo, until } from "./requests.ts";

let stack: TestStack;
let api_base: string;
const account = (name: string): Record<string, unknown> => ({
  name,
  kind: "stripe",
  secret_key_env: "STRIPE_KEY",
  api_base,
});
const bothAccounts = (): Record<string, string> => ({
  PSP_ACCOUNTS: JSON.stringify([account("main"), account("europe")]),
  PSP_ROUTING: JSON.stringify([{ when: { currencies: ["EUR"] }, to: [{ psp: "europe", weight: 1 }] }]),
  CRASH_POINT: "",
});
const mainOnly = (): Record<string, string> => ({
  PSP_ACCOUNTS: JSON.stringify([account("main")]),
  PSP_ROUTING: "",
  CRASH_POINT: "",
});

beforeAll(async () => {
  const simulatorPort = await freePort();
  api_base = `http://127.0.0.1:${simulatorPort}`;
  stack = await startTestStack({
    environment: {
      SIMULATOR_PORT: String(simulatorPort),
      STRIPE_KEY: "sk_test_simulator",
      JOB_LEASE_SECONDS: "3",
      PSP_TIMEOUT_SECONDS: "0.7",
      ...bothAccounts(),
    },
  });
});
afterAll(async () => {
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  await stack.stopAll();
});

const euros = [{ amount: "10.00", currency: "EUR" }];
const lettersAbout = (subjectId: string): Promise<Letter[]> => deadLettersAbout(stack, subjectId);

test(
  "attempts of an account that is configured no more are a matter for a person, stop nobody else, and go on when it is back",
  { timeout: 90_000 },
  async () => {
    const {
      order_ids: [authorised],
    } = await acceptCheckout(stack, { capture_method: "manual" }, euros);
    await orderIn(stack, authorised, "AUTHORIZED");
    const {
      order_ids: [waiting],
    } = await acceptCheckout(stack, { credit_card_info: { token: "tok_authenticationRequired" } }, euros);
    await orderIn(stack, waiting, "PENDING");
    // The service dies with two attempts open that were never sent.
    await stack.service.stop();
    await stack.restartService({ ...bothAccounts(), CRASH_POINT: "after_intake:1" });
    await expect(acceptCheckout(stack, {}, [...euros, ...euros])).rejects.toThrow("fetch failed");
    await until("the service has died", async () => !stack.service.is_running);
    const opened = await stack.db.asOwner(
      "select payment_order_id from payment_attempts where status = 'executing'",
    );
    expect(opened).toHaveLength(2);

    await stack.restartService(mainOnly());
    await stack.call("POST", `/payments/${authorised}/capture`, { capture_id: "one" });
    const lost = [waiting, ...opened.map((row) => String(row["payment_order_id"]))];
    for (const id of lost) {
      expect(await orderIn(stack, id, "UNKNOWN")).toMatchObject({
        error_message: expect.stringContaining("europe is not configured") as string,
      });
      await until("a person hears of it", async () => (await lettersAbout(id)).length === 1);
      expect((await lettersAbout(id))[0]?.reason).toContain("PSP_ACCOUNTS");
    }
    const [capture] = await stack.db.asOwner(
      "select operation_id from operations where payment_order_id = $1",
      [authorised],
    );
    await until(
      "a person hears of the capture",
      async () => (await lettersAbout(String(capture?.["operation_id"]))).length === 1,
    );
    expect((await lettersAbout(String(capture?.["operation_id"])))[0]).toMatchObject({
      queue: "operation_execute",
      reason: expect.stringContaining("europe is not configured") as string,
    });
    const unresolved = await unresolvedOrders(stack);
    expect(unresolved.map((row) => row.payment_order_id)).toEqual(
      expect.arrayContaining([...lost, authorised]),
    );
    // Everything else goes on, at once and by the queue; webhooks to it find no address.
    const { order_ids: others } = await acceptCheckout(
      stack,
      {},
      Array.from({ length: 30 }, () => ({})),
    );
    for (const id of others) await orderIn(stack, id, "SUCCESS");
    expect((await stack.call("POST", "/webhooks/europe", {})).status).toBe(404);

    await stack.service.stop();
    await stack.restartService(bothAccounts());
    for (const id of lost.slice(1))
      expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING UNKNOWN SUCCESS");
    await orderIn(stack, waiting, "PENDING");
    await orderIn(stack, authorised, "SUCCESS");
    expect(await stack.effectsSummary()).toMatchObject({ charges: 33, duplicate_orders: [] });
  },
);

test(
  "the page of an account that is configured no more is not registered elsewhere, and opens when the account is back",
  { timeout: 60_000 },
  async () => {
    await stack.service.stop();
    await stack.restartService({ ...bothAccounts(), CRASH_POINT: "after_intake:1" });
    const hosted = {
      checkout_id: "page-of-europe",
      credit_card_info: undefined,
      hosted_page: { return_url: "https://shop.example/return" },
    };
    await expect(acceptCheckout(stack, hosted, euros)).rejects.toThrow("fetch failed");
    await until("the service has died", async () => !stack.service.is_running);
    await stack.restartService(mainOnly());
    await orderIn(stack, "page-of-europe-order-1", "UNKNOWN");
    expect((await lettersAbout("page-of-europe-order-1"))[0]?.reason).toContain("europe is not configured");
    await stack.service.stop();
    await stack.restartService(bothAccounts());
    const order = await orderIn(stack, "page-of-europe-order-1", "PENDING");
    expect(order.attempts).toEqual([expect.objectContaining({ psp: "europe", status: "pending" })]);
  },
);

test(
  "a void of an account that is configured no more ends when its attempt is resolved, and its dead letter does not come back",
  { timeout: 60_000 },
  async () => {
    await stack.service.stop();
    await stack.restartService(bothAccounts());
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { credit_card_info: { token: "tok_authenticationRequired" } }, euros);
    const { attempts } = await orderIn(stack, id, "PENDING");
    await stack.service.stop();
    // The next inquiry would make the order UNKNOWN, which cannot be canceled.
    await stack.db.asOwner(
      "delete from pgboss.job where name = 'payment_execute' and data ->> 'payment_order_id' = $1",
      [id],
    );
    await stack.restartService(mainOnly());
    expect((await stack.call("POST", `/payments/${id}/cancel`)).status).toBe(202);
    const voids = () =>
      stack.db.asOwner("select operation_id, status from operations where payment_order_id = $1", [id]);
    const [queued] = await voids();
    const void_id = String(queued?.["operation_id"]);
    await until("a person hears of the void", async () => (await lettersAbout(void_id)).length === 1);

    const resolution = { outcome: "failed", note: "The dashboard shows nothing." };
    const attempt_id = attempts[0]?.attempt_id ?? "";
    await sentLongAgo(stack, attempt_id);
    expect((await stack.call("POST", `/attempts/${attempt_id}/resolve`, resolution)).status).toBe(202);
    await stack.waitForOrder(id, ["FAILED"], 30);
    await until("the void has ended", async () => (await voids())[0]?.["status"] === "failed");
    expect(await lettersAbout(void_id)).toEqual([]);
  },
);
