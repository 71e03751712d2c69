import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, path, until } from "./requests.ts";

/** The quiet time is longer than what the simulator takes to carry a request out after its 500. */
const [roll_forward_seconds, quiet_seconds] = [3, 6];
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      PSP_UNKNOWN_QUIET_SECONDS: String(quiet_seconds),
      SIMULATOR_ROLL_FORWARD_SECONDS: String(roll_forward_seconds),
      PSP_TIMEOUT_SECONDS: "1",
      PSP_BREAKER_FAILURES: "1000",
      RETRY_BACKOFF_BASE: "1",
    },
  });
});
afterAll(async () => {
  const effects = await stack.effectsSummary();
  await stack.stopAll();
  expect(effects).toMatchObject({ charges: 6, duplicate_orders: [] });
});

const chargesOf = async (id: string): Promise<number> =>
  (await stack.effects(`payment_order_id=${id}`)).count;

let last: Promise<unknown> = Promise.resolve();
/** The tests wait side by side, but send one after another: a fault meets whatever is sent next. */
function inTurn<T>(send: () => Promise<T>): Promise<T> {
  const sent = last.then(send);
  last = sent.catch(() => undefined);
  return sent;
}

/** An order whose charge met this fault. */
const chargedUnder = (fault: string): Promise<string> =>
  inTurn(async () => {
    await stack.setFaults({ next: [{ fault, count: 1 }] });
    const {
      order_ids: [id],
    } = await acceptCheckout(stack);
    await orderIn(stack, id, "UNKNOWN");
    return id;
  });

/** Waits until the attempt was asked about so often. */
const askedAbout = (id: string, times: number): Promise<void> =>
  until(
    `${times} inquiries`,
    async () => {
      const [row] = await stack.db.asOwner(
        "select max(inquiry_count) as count from payment_attempts where payment_order_id = $1",
        [id],
      );
      return Number(row?.["count"]) >= times;
    },
    30,
  );

/** Lets hours pass for the order's attempt. */
const age = (id: string, column: "created_at" | "sent_at", hours: number): Promise<unknown> =>
  stack.db.asOwner(
    `update payment_attempts set ${column} = ${column} - $2 * interval '1 hour' where payment_order_id = $1`,
    [id, hours],
  );

describe.concurrent("a charge that the PSP answers with a 500", () => {
  test("and carries out later is found and made once: no new key while nothing is to be seen", async () => {
    const id = await chargedUnder("500_rolled_forward");
    await askedAbout(id, 1);
    expect(await chargesOf(id)).toBe(0);
    const order = await orderIn(stack, id, "SUCCESS");
    expect(path(order)).toBe("NOT_STARTED EXECUTING UNKNOWN SUCCESS");
    expect(order.attempts).toHaveLength(1);
    expect(await chargesOf(id)).toBe(1);
  }, 40_000);

  test("and that was never made gets a new key after the quiet time, not before", async () => {
    const id = await chargedUnder("500_before");
    const order = await orderIn(stack, id, "SUCCESS");
    expect(path(order)).toBe("NOT_STARTED EXECUTING UNKNOWN RETRY_SCHEDULED EXECUTING SUCCESS");
    expect(order.attempts).toMatchObject([
      { status: "declined", failure_code: "psp_error" },
      { status: "succeeded" },
    ]);
    const [first, second] = order.attempts.map(({ created_at }) => Date.parse(created_at));
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(quiet_seconds * 1_000);
    expect(await chargesOf(id)).toBe(1);
  }, 40_000);
});

describe.concurrent("a key that the PSP may have forgotten", () => {
  test("is not used again: the PSP is only asked, until nothing was sent for the quiet time", async () => {
    const id = await chargedUnder("html");
    await age(id, "created_at", 24);
    await askedAbout(id, 2);
    // Sent again it would have been charged: the fault was over.
    expect(await chargesOf(id)).toBe(0);
    expect((await orderIn(stack, id, "UNKNOWN")).attempts).toHaveLength(1);
    await age(id, "sent_at", 1);
    const order = await orderIn(stack, id, "SUCCESS");
    expect(order.attempts).toMatchObject([{ status: "declined" }, { status: "succeeded" }]);
    expect(await chargesOf(id)).toBe(1);
  }, 40_000);

  test("does not hide a charge that was made under it: that is found", async () => {
    const id = await chargedUnder("500_after_charge");
    await Promise.all([age(id, "created_at", 30), age(id, "sent_at", 29)]);
    const order = await orderIn(stack, id, "SUCCESS");
    expect(order.attempts).toHaveLength(1);
    expect(await chargesOf(id)).toBe(1);
  });
});

describe.concurrent("a capture that the PSP answers with a 500", () => {
  const capture = (id: string): Promise<unknown> =>
    stack.call("POST", `/payments/${id}/capture`, { capture_id: "one", amount: "10.00", is_final: false });
  const operationOf = async (id: string): Promise<Record<string, unknown>> => {
    const [row] = await stack.db.asOwner(
      "select status, key_number, inquiry_count from operations where payment_order_id = $1",
      [id],
    );
    return row ?? {};
  };

  test.each([
    ["500_rolled_forward", 1],
    ["500_before", 2],
  ])(
    "(%s) takes the money once, under key %i",
    async (fault, key_number) => {
      const id = await inTurn(async () => {
        const {
          order_ids: [authorised],
        } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "50.00" }]);
        await orderIn(stack, authorised, "AUTHORIZED");
        await stack.setFaults({ next_modifications: [{ fault, count: 1 }] });
        await capture(authorised);
        await until("it met the fault", async () => (await operationOf(authorised))["status"] === "unknown");
        return authorised;
      });
      await until(
        "the PSP was asked again",
        async () => Number((await operationOf(id))["inquiry_count"]) >= 1,
      );
      expect(await operationOf(id)).toMatchObject({ status: "unknown", key_number: 1 });
      await until(
        "the capture is decided",
        async () => (await operationOf(id))["status"] === "succeeded",
        40,
      );
      expect(await operationOf(id)).toMatchObject({ key_number });
      // Longer than the simulator would need for another one.
      await new Promise((resolve) => setTimeout(resolve, roll_forward_seconds * 1_000));
      expect(await chargesOf(id)).toBe(1);
      expect((await stack.call("GET", `/payments/${id}`)).json).toMatchObject({
        status: "AUTHORIZED",
        captured_amount: "10.00",
      });
    },
    60_000,
  );
});
