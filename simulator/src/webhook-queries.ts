import type pg from "pg";
import { eventsOf } from "./events.ts";
import type { EventRecord, RequestRow } from "./records.ts";
import type { Delivery } from "./store.ts";

/** A delivery read back from the database. */
export interface DueDelivery {
  event: EventRecord;
  endpoint_id: string;
  attempts: number;
}

interface DueRow extends RequestRow {
  event_id: string;
  endpoint_id: string;
  attempts: number;
}

/** The deliveries that are due, oldest first. */
export async function dueDeliveries(pool: pg.Pool, limit: number): Promise<DueDelivery[]> {
  const { rows } = await pool.query<DueRow>(
    `select r.id, r.key, r.fingerprint, r.request_id, r.status, r.types, r.record,
            d.event_id, d.endpoint_id, d.attempts
     from simulator.webhook_deliveries d join simulator.requests r on r.id = substr(d.event_id, 5, 23)
     where d.next_attempt_at <= now() order by d.next_attempt_at, d.event_id limit $1`,
    [limit],
  );
  return rows.flatMap((row) => {
    const event = eventsOf(row).find((candidate) => candidate.id === row.event_id);
    return event === undefined ? [] : [{ event, endpoint_id: row.endpoint_id, attempts: row.attempts }];
  });
}

/** Milliseconds until the next delivery is due (0 when one already is), or null when none is left. */
export async function msUntilNextDelivery(pool: pg.Pool): Promise<number | null> {
  const { rows } = await pool.query<{ wait_ms: number }>(
    `select greatest(0, extract(epoch from next_attempt_at - now()) * 1000)::float8 as wait_ms
     from simulator.webhook_deliveries order by next_attempt_at limit 1`,
  );
  return rows[0]?.wait_ms ?? null;
}

/** Forgets deliveries that arrived (or were lost on purpose). */
export async function finishDeliveries(pool: pg.Pool, deliveries: readonly Delivery[]): Promise<void> {
  await pool.query({
    name: "finish_deliveries",
    text: `delete from simulator.webhook_deliveries d
           using unnest($1::text[], $2::text[]) as f(event_id, endpoint_id)
           where d.event_id = f.event_id and d.endpoint_id = f.endpoint_id`,
    values: [deliveries.map(({ event }) => event.id), deliveries.map(({ endpoint_id }) => endpoint_id)],
  });
}

/** Plans the next attempt of a delivery that failed. */
export async function postponeDelivery(
  pool: pg.Pool,
  delivery: Delivery,
  attempts: number,
  delaySeconds: number,
): Promise<void> {
  await pool.query(
    `update simulator.webhook_deliveries
        set attempts = $3, next_attempt_at = now() + make_interval(secs => $4)
     where event_id = $1 and endpoint_id = $2`,
    [delivery.event.id, delivery.endpoint_id, attempts, delaySeconds],
  );
}
