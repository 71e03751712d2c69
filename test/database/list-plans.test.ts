import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Queryable } from "../../src/db/db.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { lists, type Filters } from "./list-reads.ts";

const rows = 200_000;

/** A page of 25 reads some hundred blocks; all orders are more than 5,000. */
const blocks_max = 1_500;
let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  // Set-based and past the triggers: what is asked here is how much a list reads, not whether the books are
  // right.
  await db.asOwner(`do $$ begin
    perform set_config('session_replication_role', 'replica', true);
    insert into payment_events (checkout_id, buyer_info, credit_card_info, unfinished_order_count, is_payment_done, request_fingerprint, risk_decision, created_at)
      select 'checkout-' || n, '{}', '{}', 0, true, decode(repeat('00', 32), 'hex'), 'pass', '2026-01-01'::timestamptz + n * interval '1 second'
        from generate_series(1, ${rows}) as n;
    insert into payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency, captured_minor,
                                status, status_cause, status_actor, created_by, wallet_updated, ledger_updated, created_at)
      select 'order-' || n, 'checkout-' || n, 0, 'buyer-' || n % 5000, 'seller-' || n % 2000, 100, 'USD', case when n % 1000 = 0 then 0 else 100 end,
             (case when n % 1000 = 0 then 'FAILED' when n % 4000 = 1 then 'AUTHORIZED' else 'SUCCESS' end)::payment_order_status,
             'x', 'x', 'x', n % 1000 <> 0, n % 1000 <> 0, '2026-01-01'::timestamptz + n * interval '1 second'
        from generate_series(1, ${rows}) as n;
    update payment_orders set status = 'UNKNOWN', captured_minor = 0, wallet_updated = false, ledger_updated = false where payment_order_id like 'order-1234__';
    insert into payment_order_transitions (payment_order_id, from_status, to_status, captured_minor, cause, actor)
      select payment_order_id, null, 'NOT_STARTED', 0, 'x', 'x' from payment_orders;
    insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency, status)
      select 'att-' || payment_order_id, checkout_id, payment_order_id, 1, 'stripe', 100, 'USD', (case status when 'UNKNOWN' then 'unknown' else 'succeeded' end)::payment_attempt_status
        from payment_orders;
    insert into ledger_accounts (code, kind, role, currency, owner_id, version)
      select 'psp:stripe:clearing', 'asset'::ledger_account_kind, 'psp_clearing'::ledger_account_role, 'USD', null, ${rows}
      union all
      select 'seller:seller-' || n || ':' || part, 'liability', ('seller_' || part)::ledger_account_role, 'USD', 'seller-' || n, 0
        from generate_series(0, 29999) as n, unnest(array['pending', 'available']) as part
      union all
      select 'seller:rare:pending', 'liability', 'seller_pending', 'JPY', 'rare', 3;
    insert into ledger_owners (owner_id, currency)
      select a.owner_id, c.currency from ledger_accounts a cross join lateral (values (''), (a.currency::text)) as c (currency)
       where a.owner_id is not null group by a.owner_id, c.currency order by min(a.account_id);
    insert into ledger_transactions (transaction_id, created_at, xid, kind, subject_type, subject_id, part) overriding system value
      select n, '2026-01-01'::timestamptz + n * interval '1 second', 1, 'captured', 'order', 'order-' || n, '' from generate_series(1, ${rows}) as n;
    insert into ledger_entries (account_id, account_version, transaction_id, amount_minor, balance_after_minor)
      select (select account_id from ledger_accounts where code = 'psp:stripe:clearing'), n, n, 100, n * 100 from generate_series(1, ${rows}) as n;
    insert into ledger_entries (account_id, account_version, transaction_id, amount_minor, balance_after_minor)
      select a.account_id, (n + 1999) / 2000, n, -100, 0
        from generate_series(1, ${rows - 3}) as n join ledger_accounts a on a.code = 'seller:seller-' || n % 2000 || ':pending';
    update ledger_accounts set version = ${rows / 2000} where code ~ '^seller:seller-1?[0-9]{1,3}:pending$';
    insert into ledger_entries (account_id, account_version, transaction_id, amount_minor, balance_after_minor)
      select a.account_id, n, ${rows} - 3 + n, -100, 0 from generate_series(1, 3) as n join ledger_accounts a on a.code = 'seller:rare:pending';
    insert into dead_letters (dead_letter_id, queue, subject_id, payload, reason, attempt_count, state, decided_at, created_at)
      select 'dead-' || n, 'payment_execute', 's' || n, '{}', 'x', 1, 'discarded', now(), '2026-01-01'::timestamptz + n * interval '1 second'
        from generate_series(1, 50000) as n;
    insert into audit_log (actor, action, subject_type, subject_id, reason, occurred_at)
      select 'key:x', 'payment_order.cancel', 'payment_order', 's' || n, null, '2026-01-01'::timestamptz + n * interval '1 second'
        from generate_series(1, 50000) as n;
  end $$`);
  await db.asOwner("analyze");
}, 120_000);
afterAll(() => db.drop());

type Node = {
  "Node Type": string;
  "Relation Name"?: string;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: Node[];
};

/** Runs statements as the service does, and tells what each of them read. */
function observed(): { database: Queryable; plans: Node[] } {
  const plans: Node[] = [];
  return {
    plans,
    database: {
      async query<Row extends object>(text: string, values: readonly unknown[] = []) {
        const [row] = await db.asService(`explain (analyze, buffers, format json) ${text}`, values);
        const [{ Plan }] = (row as { "QUERY PLAN": [{ Plan: Node }] })["QUERY PLAN"];
        plans.push(Plan);
        return db.database.query<Row>(text, values);
      },
    },
  };
}
const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

const large = [
  "payment_events",
  "payment_orders",
  "payment_attempts",
  "payment_order_transitions",
  "ledger_accounts",
  "ledger_owners",
  "ledger_transactions",
  "ledger_entries",
  "dead_letters",
  "audit_log",
];

/** Scans of whole tables, and reads of more than a page is worth. */
function faultsOf(plans: readonly Node[]): string[] {
  return plans.flatMap((plan) => {
    const scans = nodesOf(plan).filter(
      (node) => node["Node Type"] === "Seq Scan" && large.includes(node["Relation Name"] ?? ""),
    );
    const blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
    return [
      ...scans.map((scan) => `all of ${scan["Relation Name"]}`),
      ...(blocks > blocks_max ? [`${blocks} blocks`] : []),
    ];
  });
}

describe.for(lists.filter(({ filters }) => filters.length > 0))(
  `of ${rows} rows, $route reads no more than a page needs`,
  ({ read, filters }) => {
    test.for(filters.map((filter) => [nameOf(filter), filter] as const))("with %s", async ([, filter]) => {
      const { database, plans } = observed();
      await read(database, filter);
      expect(plans.length).toBeGreaterThan(0);
      expect(faultsOf(plans)).toEqual([]);
    });
  },
);

test("every list and every filter of openapi.json is among them", async () => {
  const { paths } = JSON.parse(await readFile("openapi.json", "utf8")) as {
    paths: Record<string, { get?: { parameters?: { in: string; name: string }[] } }>;
  };
  for (const [route, { get }] of Object.entries(paths)) {
    const names = (get?.parameters ?? [])
      .filter((parameter) => parameter.in === "query")
      .map(({ name }) => name);
    if (!names.includes("cursor")) continue;
    const list = lists.find((one) => one.route === route);
    expect(Object.keys(list?.params ?? {}).toSorted(), route).toEqual(
      names.filter((name) => name !== "cursor" && name !== "limit").toSorted(),
    );
    const tried = new Set(list?.filters.flatMap((filter) => Object.keys(filter)));
    for (const name of Object.values(list?.params ?? {}))
      if (name !== "") expect([...tried], route).toContain(name);
  }
});

function nameOf(filter: Filters): string {
  return JSON.stringify(filter, (_name, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}
