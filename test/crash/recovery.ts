import { expect } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { checkoutBody, type TestStack } from "../support/stack.ts";

/**
 * Settings under which a dead worker's orders are taken over within seconds, and a 500 is believed after some
 * more: later than the simulator carries out what it rolls forward.
 */
export const quickRecovery = {
  JOB_LEASE_SECONDS: "3",
  PSP_TIMEOUT_SECONDS: "0.7",
  PSP_BREAKER_OPEN_SECONDS: "1",
  PSP_UNKNOWN_QUIET_SECONDS: "4",
  SIMULATOR_ROLL_FORWARD_SECONDS: "1",
};

/** A shop that never gives up: it posts the same checkout again until it gets an answer. */
export class Shop {
  readonly bodies = new Map<string, Record<string, unknown>>();
  readonly statuses = new Map<number, number>();
  readonly #stack: TestStack;

  constructor(stack: TestStack) {
    this.#stack = stack;
  }

  /** Resolves when the checkout was answered with 202. Anything but 202 or 503, and no answer at all, is recorded. */
  async order(token = "tok_visa_4242"): Promise<void> {
    const body = checkoutBody({ credit_card_info: { token } }, [
      { amount: "10.00" },
      { amount: "5.55", seller_account: "seller_charlie" },
    ]);
    this.bodies.set(String(body["checkout_id"]), body);
    for (let tries = 1; tries <= 200; tries++) {
      const status = await this.#stack.call("POST", "/payments", body).then(
        (reply) => reply.status,
        () => 0,
      );
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      if (status === 202) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("a checkout was not accepted within 20 s");
  }

  get paymentOrderIds(): string[] {
    return [...this.bodies.values()].flatMap((body) =>
      (body["payment_orders"] as { payment_order_id: string }[]).map((order) => order.payment_order_id),
    );
  }
}

/** Every order ends in one of these states; each paid one was charged exactly once at the PSP, the others never, and the books are right. */
export async function expectNothingLostOrDoubled(
  stack: TestStack,
  shop: Shop,
  { seconds = 30, states = ["SUCCESS"] }: { seconds?: number; states?: readonly string[] } = {},
): Promise<void> {
  const ids = shop.paymentOrderIds;
  const deadline = performance.now() + seconds * 1_000;
  for (;;) {
    const [row] = await stack.db.asOwner(
      "select count(*)::int as open, array_agg(payment_order_id || ' ' || status) as which from payment_orders where status::text <> all ($1)",
      [states],
    );
    if (row?.["open"] === 0) break;
    if (performance.now() > deadline)
      throw new Error(`not final after ${seconds} s: ${String(row?.["which"])}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const [stored] = await stack.db.asOwner(
    "select count(*)::int as count from payment_orders where payment_order_id = any ($1)",
    [ids],
  );
  expect(stored?.["count"]).toBe(ids.length);
  const effects = await stack.effectsSummary();
  expect(effects.duplicate_orders).toEqual([]);
  const paid = await stack.db.asOwner("select payment_order_id from payment_orders where status = 'SUCCESS'");
  expect(effects.charges).toBe(paid.length);
  const charges = await Promise.all(
    paid.map(({ payment_order_id }) => stack.effects(`payment_order_id=${String(payment_order_id)}`)),
  );
  expect(charges.filter(({ count }) => count !== 1)).toEqual([]);
  const checks = await verifyBooks(stack.db.database);
  expect(checks.flatMap((check) => check.faults)).toEqual([]);
  const unexpected = [...shop.statuses.keys()].filter((status) => ![0, 202, 503].includes(status));
  expect(unexpected).toEqual([]);
}
