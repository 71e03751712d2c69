import { expect } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { PaymentOrderDetail } from "../../src/http/schemas/payment-order.ts";
import type { OrderDetail } from "../support/answers.ts";
import { checked } from "../support/checked.ts";
import type { TestDatabase } from "../support/database.ts";
import { checkoutBody, type Reply, type TestStack } from "../support/stack.ts";

export type SentCheckout = {
  readonly checkout_id: string;
  readonly order_ids: readonly [string, ...string[]];
  readonly body: Record<string, unknown>;
  readonly reply: Reply;
};

/** Posts a checkout; the test says what is special about it and its orders. */
export async function sendCheckout(
  stack: TestStack,
  changes: Record<string, unknown> = {},
  orders: readonly Record<string, unknown>[] = [{}],
): Promise<SentCheckout> {
  const body = checkoutBody(changes, orders);
  const [first = "", ...others] = (body["payment_orders"] as { payment_order_id: string }[]).map(
    (order) => order.payment_order_id,
  );
  return {
    checkout_id: String(body["checkout_id"]),
    order_ids: [first, ...others],
    body,
    reply: await stack.call("POST", "/payments", body),
  };
}

/** Posts a checkout that must be taken. */
export async function acceptCheckout(
  stack: TestStack,
  changes: Record<string, unknown> = {},
  orders: readonly Record<string, unknown>[] = [{}],
): Promise<SentCheckout> {
  const sent = await sendCheckout(stack, changes, orders);
  expect(sent.reply, sent.reply.text).toMatchObject({ status: 202 });
  return sent;
}

/** Posts a checkout with a preference such as `wait=5`. */
export async function checkoutWaiting(
  stack: TestStack,
  prefer: string,
  changes: Record<string, unknown>,
): Promise<{ readonly reply: Reply; readonly order_ids: readonly [string, ...string[]] }> {
  const body = checkoutBody(changes);
  const [first = "", ...others] = (body["payment_orders"] as { payment_order_id: string }[]).map(
    (order) => order.payment_order_id,
  );
  const reply = await stack.call("POST", "/payments", body, { prefer });
  expect(reply, reply.text).toMatchObject({ status: 202 });
  return { reply, order_ids: [first, ...others] };
}

/** The change that pays with this token of the simulator. */
export const card = (token: string): Record<string, unknown> => ({ credit_card_info: { token } });

/** An order with its attempts and history, once it is in one of these states. */
export async function orderIn(
  stack: TestStack,
  paymentOrderId: string,
  ...statuses: string[]
): Promise<OrderDetail> {
  const first = await stack.call("GET", `/payments/${encodeURIComponent(paymentOrderId)}`);
  expect(first, first.text).toMatchObject({ status: 200 });
  const detail = await stack.waitForOrder(encodeURIComponent(paymentOrderId), statuses);
  return checked(detail, PaymentOrderDetail);
}

/** As if nothing had been sent for an hour: a resolution waits for no call, and takes effect at once. */
export const sentLongAgo = (stack: TestStack, attempt_id: string): Promise<unknown> =>
  stack.db.asOwner("update payment_attempts set sent_at = now() - interval '1 hour' where attempt_id = $1", [
    attempt_id,
  ]);

/** The states an order went through. */
export const path = (order: OrderDetail): string =>
  order.transitions.map((transition) => transition.to_status).join(" ");

/** Expects RFC 9457 problem details in full, with this status, code and (where given) the field they name. */
export function expectProblem(reply: Reply, status: number, code: ErrorCode, param?: string): void {
  expect(reply, reply.text).toMatchObject({ status });
  expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(reply.json).toEqual({
    type: expect.stringMatching(new RegExp(`^https://.+/${code}$`)) as string,
    title: expect.stringMatching(/\S/) as string,
    status,
    detail: expect.stringMatching(/\S/) as string,
    instance: `urn:request:${reply.headers.get("request-id") ?? "none"}`,
    code,
    param:
      param ??
      (expect.toSatisfy((value) => value === null || typeof value === "string", "null or text") as string),
    errors: expect.any(Array) as unknown[],
  });
}

/** How many rows each table of the service and its queues holds, once no order is under way. */
export async function rowCounts(
  db: TestDatabase,
  except: readonly string[] = [],
): Promise<Record<string, number>> {
  await until(
    "no order is under way",
    async () =>
      (
        await db.asOwner(
          "select 1 from payment_orders where status in ('NOT_STARTED', 'EXECUTING', 'RETRY_SCHEDULED') limit 1",
        )
      ).length === 0,
  );
  const tables = await db.asOwner(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      -- A worker takes ticks whatever is asked.
      where table_type = 'BASE TABLE' and table_name <> 'ticks' and (table_schema = 'public' or (table_schema = 'pgboss' and table_name = 'job_common'))`,
  );
  const counted = tables.filter(({ name }) => !except.includes(String(name)));
  const counts = await db.asOwner(
    counted
      .map(({ name }) => `select '${String(name)}' as name, count(*)::int as count from ${String(name)}`)
      .join(" union all "),
  );
  return Object.fromEntries(counts.map((row) => [String(row["name"]), Number(row["count"])]));
}

/** The service's answer to bytes of the test's own making, which need not be JSON. */
export async function postBytes(
  stack: TestStack,
  target: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<Reply> {
  const response = await fetch(`${stack.service_url}${target}`, {
    method: "POST",
    headers: { authorization: "Bearer sk_dev", ...headers },
    body,
  });
  return replyOf(response);
}

export async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text();
  const json = text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, text, json };
}

/** Who the development key is in histories and in the audit log. */
export const development_actor = "key:key_development";

/** Waits for something that comes about without an order to watch. */
export async function until(what: string, condition: () => Promise<boolean>, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
