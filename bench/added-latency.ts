import type { Database } from "../src/db/db.ts";
import { checkout } from "./checkout.ts";
import { Client } from "./load.ts";

export const added_rate_per_second = 100;
const connections = 64;
/** How long the last payments may take to become final. */
const finish_seconds_max = 30;
/**
 * Rows are looked for this far behind the newest one seen, because a number taken early can be committed late:
 * half a second at 100 payments/s takes 300 numbers, and a disk can stall for longer.
 */
const late_commit_window = 3_000n;

/** Sorted. */
export type AddedLatency = {
  readonly added_ms: readonly number[];
  /** Answered with 202. */
  readonly answer_ms: readonly number[];
  readonly psp_ms: readonly number[];
};

/** When each payment was sent, answered, and first seen to be final. */
type Times = Readonly<Record<"sent_at" | "answered_at" | "seen_at", Map<string, number>>>;

/**
 * Open loop at a fixed rate. A payment's added latency is the time from sending its POST until its
 * final state can be read by another connection (looked for every 2 ms, so up to 2 ms too much),
 * less the time its PSP call took.
 */
export async function measureAddedLatency(
  serviceUrl: string,
  database: Database,
  seconds: number,
): Promise<AddedLatency> {
  // Not kept from one measurement to the next: the service closes connections that stay idle.
  const client = new Client(serviceUrl, connections);
  const times: Times = { sent_at: new Map(), answered_at: new Map(), seen_at: new Map() };
  const [last] = await database.query<{ number: bigint | null }>(
    "select max(transition_number) as number from payment_order_transitions",
  );
  let deadline = Number.POSITIVE_INFINITY;
  let isSending = true;
  const watching = watch(database, last?.number ?? 0n, times, () => {
    const unseen = times.sent_at.size - times.seen_at.size;
    if (performance.now() > deadline)
      throw new Error(`${unseen} payments were not final after ${finish_seconds_max} s`);
    return isSending || unseen > 0;
  });
  await sendAtFixedRate(client, times, seconds);
  isSending = false;
  deadline = performance.now() + finish_seconds_max * 1_000;
  await watching;
  client.close();
  const calls = await database.query<{ payment_order_id: string; psp_call_ms: number }>(
    "select payment_order_id, psp_call_ms from payment_attempts where payment_order_id = any ($1::text[])",
    [[...times.sent_at.keys()]],
  );
  return {
    added_ms: sorted(
      calls.map(
        ({ payment_order_id: id, psp_call_ms }) => elapsed(times.sent_at, times.seen_at, id) - psp_call_ms,
      ),
    ),
    answer_ms: sorted([...times.sent_at.keys()].map((id) => elapsed(times.sent_at, times.answered_at, id))),
    psp_ms: sorted(calls.map((call) => call.psp_call_ms)),
  };
}

const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

async function sendAtFixedRate(
  client: Client,
  { sent_at, answered_at }: Times,
  seconds: number,
): Promise<void> {
  const posts: Promise<void>[] = [];
  const start = performance.now();
  for (let i = 0; i < added_rate_per_second * seconds; i++) {
    const due = start + (i * 1_000) / added_rate_per_second;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const body = checkout();
    const {
      payment_orders: [order],
    } = JSON.parse(body) as { payment_orders: [{ payment_order_id: string }] };
    sent_at.set(order.payment_order_id, performance.now());
    posts.push(
      client.post("/api/v1/payments", body).then((status) => {
        if (status !== 202) throw new Error(`a payment was answered with ${status}`);
        answered_at.set(order.payment_order_id, performance.now());
      }),
    );
  }
  await Promise.all(posts);
}

function elapsed(from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>, id: string): number {
  const [since, until] = [from.get(id), to.get(id)];
  if (since === undefined || until === undefined) throw new Error(`payment ${id} was not seen`);
  return until - since;
}

/** Looks for the payments that became final until `isOn` says no. */
async function watch(
  database: Database,
  from: bigint,
  { sent_at, seen_at }: Times,
  isOn: () => boolean,
): Promise<void> {
  let last = from;
  while (isOn()) {
    const rows = await database.query<{ payment_order_id: string; transition_number: bigint }>(
      `select payment_order_id, transition_number from payment_order_transitions
        where transition_number > $1 and to_status = 'SUCCESS'`,
      [last - late_commit_window],
    );
    const seen = performance.now();
    for (const { payment_order_id: id, transition_number } of rows) {
      if (sent_at.has(id) && !seen_at.has(id)) seen_at.set(id, seen);
      if (transition_number > last) last = transition_number;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
