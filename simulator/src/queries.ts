import type pg from "pg";
import { chargeStem, timePrefix } from "./ids.ts";
import type {
  ChargeRecord,
  EndpointRecord,
  EventType,
  IntentRecord,
  Metadata,
  PaymentMethodRecord,
  RequestRow,
  SessionRecord,
  Writes,
} from "./records.ts";

type Table = "charges" | "checkout_sessions" | "payment_intents" | "payment_methods";

/** A page of a list, newest first. Times are Unix seconds. */
export interface Page {
  limit: number;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
  created_gte?: number | undefined;
  created_lt?: number | undefined;
  metadata?: Metadata | undefined;
  id_prefix?: string | undefined;
  status?: string | undefined;
  payment_intent?: string | undefined;
}

export interface PageResult<Row> {
  data: Row[];
  has_more: boolean;
}

async function one<Row>(pool: pg.Pool, table: Table, id: string): Promise<Row | null> {
  const { rows } = await pool.query<{ record: Row }>({
    name: `one_${table}`,
    text: `select record from simulator.${table} where id = $1`,
    values: [id],
  });
  return rows[0]?.record ?? null;
}

export function findIntent(pool: pg.Pool, id: string): Promise<IntentRecord | null> {
  return one<IntentRecord>(pool, "payment_intents", id);
}

export function findCharge(pool: pg.Pool, id: string): Promise<ChargeRecord | null> {
  return one<ChargeRecord>(pool, "charges", id);
}

export function findPaymentMethod(pool: pg.Pool, id: string): Promise<PaymentMethodRecord | null> {
  return one<PaymentMethodRecord>(pool, "payment_methods", id);
}

export function findSession(pool: pg.Pool, id: string): Promise<SessionRecord | null> {
  return one<SessionRecord>(pool, "checkout_sessions", id);
}

const REQUEST_COLUMNS = "id, key, fingerprint, request_id, status, types, record";

/** The request executed under this idempotency key. */
export async function findKey(pool: pg.Pool, key: string): Promise<RequestRow | null> {
  const { rows } = await pool.query<RequestRow>({
    name: "find_key",
    text: `select ${REQUEST_COLUMNS} from simulator.requests where key = $1`,
    values: [key],
  });
  return rows[0] ?? null;
}

/** The request that caused the events with this stem. */
export async function findRequest(pool: pg.Pool, stem: string): Promise<RequestRow | null> {
  const { rows } = await pool.query<RequestRow>({
    name: "find_request",
    text: `select ${REQUEST_COLUMNS} from simulator.requests where id = $1`,
    values: [stem],
  });
  return rows[0] ?? null;
}

/**
 * Requests that caused events (of these types, when given) from this stem on, newest first or oldest first.
 */
export async function requestsWithEvents(
  pool: pg.Pool,
  filter: {
    types: readonly EventType[] | null;
    from: string;
    to: string;
    newest_first: boolean;
    limit: number;
  },
): Promise<RequestRow[]> {
  const { rows } = await pool.query<RequestRow>(
    `select ${REQUEST_COLUMNS} from simulator.requests
     where id >= $1 and id <= $2 and types <> '{}' and ($3::text[] is null or types && $3)
     order by id ${filter.newest_first ? "desc" : "asc"} limit $4`,
    [filter.from, filter.to, filter.types, filter.limit],
  );
  return rows;
}

/** How often a "once" fault has struck under this key. */
export async function onceFaultCount(pool: pg.Pool, key: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    "select count from simulator.once_faults where key = $1",
    [key],
  );
  return rows[0]?.count ?? 0;
}

function pageConditions(page: Page): { where: string; values: unknown[] } {
  const conditions: string[] = ["true"];
  const values: unknown[] = [];
  const add = (condition: string, value: unknown): void => {
    values.push(value);
    conditions.push(condition.replace("?", `$${values.length}`));
  };
  if (page.starting_after !== undefined) add("id < ?", page.starting_after);
  if (page.ending_before !== undefined) add("id > ?", page.ending_before);
  if (page.metadata !== undefined) add("metadata @> ?::jsonb", JSON.stringify(page.metadata));
  if (page.status !== undefined) add("record ->> 'status' = ?", page.status);
  if (page.payment_intent !== undefined) add("record ->> 'payment_intent' = ?", page.payment_intent);
  if (page.id_prefix !== undefined) {
    add("id >= ?", page.id_prefix);
    add("id < ?", `${page.id_prefix}~`);
  }
  return { where: conditions.join(" and "), values };
}

/** Ids sort by time, so a time range is an id range. */
function timeConditions(page: Page, prefix: string, values: unknown[]): string {
  let text = "";
  if (page.created_gte !== undefined) {
    values.push(`${prefix}_${timePrefix(page.created_gte * 1_000)}`);
    text += ` and id >= $${values.length}`;
  }
  if (page.created_lt !== undefined) {
    values.push(`${prefix}_${timePrefix(page.created_lt * 1_000)}`);
    text += ` and id < $${values.length}`;
  }
  return text;
}

async function list<Row>(pool: pg.Pool, table: Table, prefix: string, page: Page): Promise<PageResult<Row>> {
  const { where, values } = pageConditions(page);
  const times = timeConditions(page, prefix, values);
  const backwards = page.ending_before !== undefined;
  values.push(page.limit + 1);
  const { rows } = await pool.query<{ record: Row }>(
    `select record from simulator.${table} where ${where}${times}
     order by id ${backwards ? "asc" : "desc"} limit $${values.length}`,
    values,
  );
  const found = rows.slice(0, page.limit).map((row) => row.record);
  return { data: backwards ? found.toReversed() : found, has_more: rows.length > page.limit };
}

export function listIntents(pool: pg.Pool, page: Page): Promise<PageResult<IntentRecord>> {
  return list<IntentRecord>(pool, "payment_intents", "pi", page);
}

/** Charges carry their intent's time in their id, so `intentId` narrows by id alone. */
export function listCharges(pool: pg.Pool, page: Page, intentId?: string): Promise<PageResult<ChargeRecord>> {
  const narrowed = intentId === undefined ? page : { ...page, id_prefix: chargeStem(intentId) };
  return list<ChargeRecord>(pool, "charges", "ch", narrowed);
}

export function listSessions(pool: pg.Pool, page: Page): Promise<PageResult<SessionRecord>> {
  return list<SessionRecord>(pool, "checkout_sessions", "cs_test", page);
}

/** The open sessions that expire first; `expires_at` in Unix seconds. */
export async function nextSessionsToExpire(
  pool: pg.Pool,
  limit: number,
): Promise<{ id: string; expires_at: number }[]> {
  const { rows } = await pool.query<{ id: string; expires_at: number }>(
    `select id, expires_at::float8 as expires_at from simulator.checkout_sessions
     where status = 'open' order by expires_at limit $1`,
    [limit],
  );
  return rows;
}

/** The authorisations that end first; `expires_at` in Unix seconds. Those of earlier versions have no end. */
export async function nextAuthorizationsToEnd(
  pool: pg.Pool,
  limit: number,
): Promise<{ id: string; expires_at: number }[]> {
  const { rows } = await pool.query<{ id: string; expires_at: number }>(
    `select id, ((record ->> 'capture_before')::bigint)::float8 as expires_at from simulator.payment_intents
     where record ->> 'status' = 'requires_capture' and (record ->> 'capture_before')::bigint is not null
     order by (record ->> 'capture_before')::bigint limit $1`,
    [limit],
  );
  return rows;
}

/** The requests that are due to be rolled forward first; `expires_at` in Unix seconds. */
export async function nextRolledForward(
  pool: pg.Pool,
  limit: number,
): Promise<{ id: string; expires_at: number }[]> {
  const { rows } = await pool.query<{ id: string; expires_at: number }>(
    "select id, due_at as expires_at from simulator.rolled_forward order by due_at limit $1",
    [limit],
  );
  return rows;
}

/** What such a request will write; null if it was carried out already. */
export async function findRolledForward(pool: pg.Pool, id: string): Promise<Writes | null> {
  const { rows } = await pool.query<{ writes: Writes }>(
    "select writes from simulator.rolled_forward where id = $1",
    [id],
  );
  return rows[0]?.writes ?? null;
}

/** The charges with these ids, by id. */
export async function chargesById(pool: pg.Pool, ids: readonly string[]): Promise<Map<string, ChargeRecord>> {
  if (ids.length === 0) return new Map();
  const { rows } = await pool.query<{ record: ChargeRecord }>(
    "select record from simulator.charges where id = any($1)",
    [ids],
  );
  return new Map(rows.map(({ record }) => [record.id, record]));
}

export async function allEndpoints(pool: pg.Pool): Promise<EndpointRecord[]> {
  const { rows } = await pool.query<{ record: EndpointRecord }>(
    "select record from simulator.webhook_endpoints order by id desc",
  );
  return rows.map((row) => row.record);
}

export async function deleteEndpoint(pool: pg.Pool, id: string): Promise<void> {
  await pool.query(
    `with gone as (delete from simulator.webhook_deliveries where endpoint_id = $1)
     delete from simulator.webhook_endpoints where id = $1`,
    [id],
  );
}

/** Forgets everything. */
export async function emptyEverything(pool: pg.Pool): Promise<void> {
  await pool.query(
    `truncate simulator.payment_intents, simulator.charges, simulator.checkout_sessions,
       simulator.payment_methods, simulator.requests, simulator.effects, simulator.once_faults,
       simulator.webhook_endpoints, simulator.webhook_deliveries, simulator.rolled_forward
     restart identity`,
  );
}
