import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { deadLetters, type Letter } from "../support/answers.ts";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, expectProblem, orderIn, path, until, type SentCheckout } from "./requests.ts";

let stack: TestStack;
let accounts: readonly Record<string, unknown>[];
const rulesFor = (psp: string): string => JSON.stringify([{ when: {}, to: [{ psp, weight: 1 }] }]);
beforeAll(async () => {
  const simulatorPort = await freePort();
  const api_base = `http://127.0.0.1:${simulatorPort}`;
  accounts = [
    { name: "stripe", kind: "stripe", secret_key_env: "STRIPE_KEY", api_base },
    {
      name: "adyen",
      kind: "adyen",
      secret_key_env: "ADYEN_KEY",
      merchant_account: "SimulatorMerchant",
      return_url: "https://shop.example/",
      api_base: `${api_base}/adyen`,
    },
  ];
  stack = await startTestStack({
    environment: {
      SIMULATOR_PORT: String(simulatorPort),
      STRIPE_KEY: "sk_test_simulator",
      ADYEN_KEY: "adyen_test_simulator",
      PSP_ACCOUNTS: JSON.stringify(accounts),
      PSP_ROUTING: rulesFor("stripe"),
      RISK_REVIEW_FROM: "USD:500.00",
      SIMULATOR_SESSION_SECONDS_MIN: "1",
      JOB_LEASE_SECONDS: "3",
      PSP_TIMEOUT_SECONDS: "0.7",
    },
  });
  await stack.db.asOwner(`
    create function refuse_poisoned() returns trigger language plpgsql as $$
    begin
      raise exception 'payment order % may not go from SUCCESS to EXECUTING', new.payment_order_id using errcode = 'PL005';
    end
    $$`);
  await stack.db.asOwner(`
    create trigger refuse_poisoned before update on payment_orders for each row
      when (new.payment_order_id like '%refused' and new.psp_nonce is distinct from old.psp_nonce)
      execute function refuse_poisoned()`);
});
afterAll(async () => {
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  await stack.stopAll();
});

const held = { amount: "500.00" };
const hosted = { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/return" } };
const hold = (
  changes: Record<string, unknown> = {},
  orders: readonly Record<string, unknown>[] = [held],
): Promise<SentCheckout> => acceptCheckout(stack, changes, orders);
const approve = async ({ checkout_id }: SentCheckout): Promise<void> => {
  expect(await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "approve" })).toMatchObject(
    { status: 200 },
  );
};

const letters = (): Promise<Letter[]> => deadLetters(stack);
const letterAbout = async (subject_id: string): Promise<Letter | undefined> =>
  (await letters()).find((letter) => letter.subject_id === subject_id);

/** A job as another program, or an older version, could have left it. */
const addJob = (queue: string, data: unknown): Promise<unknown> =>
  stack.db.asOwner(
    `insert into pgboss.job (name, data, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, policy, dead_letter)
   select name, $2::jsonb, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, policy, dead_letter from pgboss.queue where name = $1`,
    [queue, JSON.stringify(data)],
  );

test(
  "orders that cannot be worked on, of every kind and in one batch, keep no other from being paid, and a person reads why",
  { timeout: 60_000 },
  async () => {
    const healthy = [await hold(), await hold(), await hold()];
    const page = await hold(hosted, [held, { amount: "20.00" }]);
    const [first, ended = ""] = page.order_ids;
    const [refused, unknownCurrency, payless] = [
      await hold({}, [{ ...held, payment_order_id: "order-refused" }]),
      await hold(),
      await hold(),
    ];
    await stack.service.stop();
    // What no worker has seen yet: all of it is due at once.
    await stack.db.asOwner(
      "update payment_orders set status = 'CANCELED', status_cause = 'canceled' where payment_order_id = $1",
      [ended],
    );
    await stack.db.asOwner("update payment_orders set currency = 'ZZZ' where payment_order_id = $1", [
      unknownCurrency.order_ids[0],
    ]);
    await stack.db.asOwner("update payment_events set credit_card_info = '{}' where checkout_id = $1", [
      payless.checkout_id,
    ]);
    for (const data of [
      {},
      null,
      [],
      "text",
      { payment_order_id: 7 },
      { payment_order_id: "" },
      { payment_order_id: "x".repeat(256) },
    ])
      await addJob("payment_execute", data);
    await addJob("payment_execute", { payment_order_id: "order-of-nobody" });
    const all = [refused, page, unknownCurrency, payless, ...healthy];
    for (const { order_ids } of all) {
      await stack.db.asOwner(
        "update payment_orders set status = 'EXECUTING', status_cause = 'review_approved' where payment_order_id = $1",
        [order_ids[0]],
      );
      await addJob("payment_execute", { payment_order_id: order_ids[0] });
    }
    await stack.restartService();

    for (const { order_ids } of healthy) await orderIn(stack, order_ids[0], "SUCCESS");
    // The page is opened for what is left of its checkout.
    await orderIn(stack, first, "PENDING");
    expect(
      await stack.db.asOwner("select amount_minor::text from payment_attempts where checkout_id = $1", [
        page.checkout_id,
      ]),
    ).toEqual([{ amount_minor: "50000" }]);
    expect(path(await orderIn(stack, ended, "CANCELED"))).toBe("PENDING CANCELED");
    await until(
      "a person hears of each",
      async () => {
        const subjects = (await letters()).map((letter) => letter.subject_id);
        return [refused, unknownCurrency, payless].every(({ order_ids }) => subjects.includes(order_ids[0]));
      },
      30,
    );
    expect(await letterAbout("order-refused")).toMatchObject({
      queue: "payment_execute",
      reason: expect.stringContaining("may not go from SUCCESS to EXECUTING") as string,
    });
    expect((await letterAbout(unknownCurrency.order_ids[0]))?.reason).toContain("ZZZ");
    expect((await letterAbout(payless.order_ids[0]))?.reason).toContain("no way to pay");
    expect((await letterAbout("order-of-nobody"))?.reason).toContain("no such payment order");
    expect(
      (await letters()).filter((letter) => letter.reason.includes("not those of a job of payment_execute")),
    ).toHaveLength(7);

    // What was mended goes on.
    await stack.db.asOwner("drop trigger refuse_poisoned on payment_orders");
    const letter = await letterAbout("order-refused");
    expect(await stack.call("POST", `/dead_letters/${letter?.dead_letter_id}/redrive`, {})).toMatchObject({
      status: 200,
    });
    await orderIn(stack, "order-refused", "SUCCESS");
    expect(await stack.effectsSummary()).toMatchObject({ charges: 4, duplicate_orders: [] });
    await stack.db.asOwner("update payment_orders set currency = 'USD' where payment_order_id = $1", [
      unknownCurrency.order_ids[0],
    ]);
  },
);

test(
  "a stale attempt that cannot be taken up keeps no other one waiting, and a person reads why",
  { timeout: 60_000 },
  async () => {
    await stack.service.stop();
    await stack.restartService({ CRASH_POINT: "after_intake:1" });
    const orders = ["stale-bad", "stale-good"].map((payment_order_id) => ({ payment_order_id }));
    await expect(acceptCheckout(stack, {}, orders)).rejects.toThrow("fetch failed");
    await until("the service has died", async () => !stack.service.is_running);
    await stack.db.asOwner(`
    create function refuse_stale() returns trigger language plpgsql as $$ begin raise exception 'no row like this'; end $$`);
    await stack.db.asOwner(`
    create trigger refuse_stale before update on payment_attempts for each row when (new.payment_order_id = 'stale-bad') execute function refuse_stale()`);
    await stack.restartService({ CRASH_POINT: "" });
    await orderIn(stack, "stale-good", "SUCCESS");
    await until("a person hears of the other", async () => (await letterAbout("stale-bad")) !== undefined);
    expect((await letterAbout("stale-bad"))?.reason).toContain("no row like this");
    await stack.db.asOwner("drop trigger refuse_stale on payment_attempts");
    await orderIn(stack, "stale-bad", "SUCCESS");
  },
);

test("an order of a page is not canceled alone, also while it is held for review; the whole checkout is", async () => {
  const { checkout_id, order_ids } = await hold(hosted, [held, { amount: "20.00" }]);
  for (const id of order_ids) {
    const reply = await stack.call("POST", `/payments/${id}/cancel`);
    expectProblem(reply, 409, "state_conflict");
    expect(reply.json["detail"]).toContain("cancel the whole checkout");
  }
  expect(await stack.call("POST", `/checkouts/${checkout_id}/cancel`)).toMatchObject({ status: 200 });
  for (const id of order_ids) await orderIn(stack, id, "CANCELED");
  // Where there is no other order there is nothing to keep together.
  const alone = await hold(hosted);
  expect(await stack.call("POST", `/payments/${alone.order_ids[0]}/cancel`)).toMatchObject({ status: 200 });
});

test("a report about a page leaves an order alone that had ended before it was opened", async () => {
  const page = await hold(hosted, [held, { amount: "20.00" }]);
  const [first, ended = ""] = page.order_ids;
  await stack.db.asOwner(
    "update payment_orders set status = 'CANCELED', status_cause = 'canceled' where payment_order_id = $1",
    [ended],
  );
  await approve(page);
  await orderIn(stack, first, "PENDING");
  expect(await stack.call("POST", `/payments/${first}/cancel`)).toMatchObject({ status: 202 });
  await orderIn(stack, first, "CANCELED");
  expect(path(await orderIn(stack, ended, "CANCELED"))).toBe("PENDING CANCELED");
  expect(
    await stack.db.asOwner("select status from payment_attempts where checkout_id = $1", [page.checkout_id]),
  ).toEqual([{ status: "canceled" }]);
});

test("a page that the routing allows no more fails with the reason, others go on, and it is opened when the routing does again", async () => {
  const page = await hold(hosted, [held, { amount: "20.00" }]);
  const other = await hold();
  await stack.service.stop();
  await stack.restartService({ PSP_ROUTING: rulesFor("adyen") });
  await approve(page);
  await approve(other);
  await orderIn(stack, other.order_ids[0], "SUCCESS");
  for (const id of page.order_ids) {
    expect(await orderIn(stack, id, "FAILED")).toMatchObject({
      status_cause: "no_psp",
      error_code: "no_psp",
      error_message: expect.stringContaining("hosted pages") as string,
      attempts: [],
    });
  }
  const letter = (await letterAbout(page.order_ids[0])) ?? (await letterAbout(page.order_ids[1] ?? ""));
  expect(letter).toMatchObject({
    queue: "payment_execute",
    reason: expect.stringContaining("PSP_ROUTING") as string,
  });
  await stack.service.stop();
  await stack.restartService({ PSP_ROUTING: rulesFor("stripe") });
  expect(await stack.call("POST", `/dead_letters/${letter?.dead_letter_id}/redrive`, {})).toMatchObject({
    status: 200,
  });
  for (const id of page.order_ids) await orderIn(stack, id, "PENDING");
  expect(
    await stack.db.asOwner("select amount_minor::text from payment_attempts where checkout_id = $1", [
      page.checkout_id,
    ]),
  ).toEqual([{ amount_minor: "52000" }]);
});

test("jobs of other queues whose data cannot be read become dead letters that name their queue", async () => {
  const authorised = await acceptCheckout(stack, { capture_method: "manual" });
  await orderIn(stack, authorised.order_ids[0], "AUTHORIZED");
  await addJob("operation_execute", { payment_order_id: "not-a-operation" });
  await addJob("operation_execute", { operation_id: "op_of_nobody" });
  await addJob("webhook_apply", { message_ids: "no-list" });
  // Those that pg-boss gave up, and one that came from nowhere.
  await stack.db.asOwner(
    `insert into pgboss.job (name, data, retry_limit, source_name, source_output)
     values ('dead_letter', '{"message_ids": []}', 9, 'payment_execute', '{"reason": "its reason"}'), ('dead_letter', '[1]', 9, null, null)`,
  );
  await stack.call("POST", `/payments/${authorised.order_ids[0]}/capture`, { capture_id: "one" });
  await orderIn(stack, authorised.order_ids[0], "SUCCESS");
  const words = ["not-a-operation", "op_of_nobody", "no-list", '"message_ids":[]', '"data":[1]'];
  await until("a letter about each", async () => {
    const payloads = JSON.stringify((await letters()).map(({ payload }) => payload));
    return words.every((word) => payloads.includes(word));
  });
  const all = await letters();
  const about = (word: string): Letter | undefined =>
    all.find((letter) => JSON.stringify(letter.payload).includes(word));
  expect(about("not-a-operation")).toMatchObject({ queue: "operation_execute" });
  expect(about("op_of_nobody")).toMatchObject({
    queue: "operation_execute",
    subject_id: "op_of_nobody",
    reason: "There is no such operation.",
  });
  expect(about("no-list")).toMatchObject({ queue: "webhook_apply" });
  expect(about('"message_ids":[]')).toMatchObject({
    queue: "payment_execute",
    reason: expect.stringContaining("its reason") as string,
  });
  expect(all.find((letter) => letter.queue === "dead_letter")).toMatchObject({ payload: { data: [1] } });
  expectProblem(
    await stack.call("POST", `/dead_letters/${about("no-list")?.dead_letter_id}/redrive`, {}),
    409,
    "state_conflict",
  );
});
