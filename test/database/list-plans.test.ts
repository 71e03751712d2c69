import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { selectApprovals } from "../../src/approvals/approvals.ts";
import { selectAudits } from "../../src/audit/audit.ts";
import type { Queryable } from "../../src/db/db.ts";
import { selectDeadLetters } from "../../src/jobs/jobs.ts";
import { selectAccounts, selectEntries, selectStatement } from "../../src/ledger/ledger.ts";
import { selectOrders, selectUnresolved } from "../../src/payments/payments.ts";
import { listWallets } from "../../src/wallets/wallets.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

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
    insert into payment_order_transitions (payment_order_id, from_status, to_status, cause, actor)
      select payment_order_id, null, 'NOT_STARTED', 'x', 'x' from payment_orders;
    insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency, status)
      select 'att-' || payment_order_id, checkout_id, payment_order_id, 1, 'stripe', 100, 'USD', (case status when 'UNKNOWN' then 'unknown' else 'succeeded' end)::payment_attempt_status
        from payment_orders;
    insert into ledger_accounts (code, kind, currency, owner_id, version)
      select 'psp:stripe:clearing', 'asset'::ledger_account_kind, 'USD', null, ${rows}
      union all
      select 'seller:seller-' || n || ':' || part, 'liability', 'USD', 'seller-' || n, 0
        from generate_series(0, 29999) as n, unnest(array['pending', 'available']) as part
      union all
      select 'seller:rare:pending', 'liability', 'JPY', 'rare', 3;
    insert into ledger_owners (owner_id, currency)
      select a.owner_id, c.currency from ledger_accounts a cross join lateral (values (''), (a.currency::text)) as c (currency)
       where a.owner_id is not null group by a.owner_id, c.currency order by min(a.account_id);
    insert into ledger_transactions (transaction_id, created_at, source) overriding system value
      select n, '2026-01-01'::timestamptz + n * interval '1 second', 'order:order-' || n || ':captured' from generate_series(1, ${rows}) as n;
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

type Filters = Readonly<Record<string, unknown>>;
type List = {
  readonly route: string;
  readonly read: (db: Queryable, filter: Filters) => Promise<readonly object[]>;
  /** Each parameter of the route but `limit` and `cursor`, and what it is named below the door. */
  readonly params: Readonly<Record<string, string>>;
  readonly filters: readonly Filters[];
};

const early = "2026-01-01T00:00:10Z";
const middle = "2026-01-02T00:00:00Z";
const late = "2026-01-03T07:00:00Z";
const time = { "created_at[gte]": "created_from", "created_at[lt]": "created_until" };
const page = { limit: 26 };
const before = { created_at: middle, id: "x" };

const lists: readonly List[] = [
  {
    route: "/api/v1/payments",
    read: (on, filter) => selectOrders(on, { ...filter, ...page }),
    params: {
      status: "status",
      currency: "currency",
      seller_account: "seller_account",
      buyer_account: "buyer_account",
      checkout_id: "checkout_id",
      ...time,
    },
    filters: [
      {},
      { before },
      ...["SUCCESS", "FAILED", "AUTHORIZED", "UNKNOWN", "CANCELED"].flatMap((status) => [
        { status },
        { status, before },
        { status, created_until: middle },
      ]),
      ...["seller-7", "none"].flatMap((seller_account) => [
        { seller_account },
        { seller_account, before },
        { seller_account, status: "FAILED" },
        { seller_account, currency: "XXX" },
        { seller_account, created_from: middle },
      ]),
      ...["buyer-7", "none"].flatMap((buyer_account) => [
        { buyer_account },
        { buyer_account, currency: "XXX" },
        { buyer_account, status: "SUCCESS", before },
      ]),
      ...["checkout-7", "none"].flatMap((checkout_id) => [{ checkout_id }, { checkout_id, currency: "USD" }]),
      { created_from: middle },
      { created_until: early },
      { created_from: middle, created_until: late },
      { currency: "XXX", created_from: late },
    ],
  },
  {
    route: "/api/v1/wallets",
    read: (on, filter) => listWallets(on, { ...filter, ...page }),
    params: { currency: "currency" },
    filters: [
      {},
      { before: "seller-500" },
      { currency: "USD" },
      { currency: "JPY" },
      { currency: "XXX" },
      { currency: "USD", before: "seller-900" },
      { account_id: "seller-7" },
      { account_id: "none" },
    ],
  },
  {
    route: "/api/v1/ledger",
    read: (on, filter) => selectEntries(on, { ...filter, ...page }),
    params: {
      account_id: "owner_id",
      account: "code",
      transaction_id: "transaction_id",
      source: "source",
      currency: "currency",
      ...time,
    },
    filters: [
      {},
      ...[
        { owner_id: "rare" },
        { owner_id: "none" },
        { owner_id: "seller-7" },
        { code: "psp:stripe:clearing" },
        { code: "none" },
        { code: "seller:rare:pending" },
      ].flatMap((account) => [
        account,
        { ...account, currency: "JPY" },
        { ...account, created_from: middle },
        { ...account, created_until: early },
        { ...account, created_from: early, created_until: late },
        {
          ...account,
          before: { created_at: middle, transaction_id: 80_000n, account_id: 2n, account_version: 40n },
        },
      ]),
      { transaction_id: 77n },
      { transaction_id: 999_999_999n },
      { source: "order:order-7:captured" },
      { source: "none" },
      { source: "none", currency: "JPY" },
      { transaction_id: 77n, owner_id: "none" },
      { created_from: middle },
      { created_until: early },
      { created_from: middle, created_until: late },
      { created_until: "2020-01-01T00:00:00Z" },
      { created_from: "2030-01-01T00:00:00Z" },
      { created_from: late, currency: "XXX" },
      ...[{}, { created_until: late }].map((times) => ({
        ...times,
        before: { created_at: middle, transaction_id: 86_400n, account_id: 2n, account_version: 40n },
      })),
    ],
  },
  {
    route: "/api/v1/ledger/accounts",
    read: (on, filter) => selectAccounts(on, { ...filter, ...page }),
    params: { account_id: "owner_id", account: "code", currency: "currency" },
    filters: [
      {},
      { before_account_id: 500n },
      { owner_id: "seller-7" },
      { owner_id: "none" },
      { code: "psp:stripe:clearing" },
      { code: "none", currency: "USD" },
      { currency: "JPY" },
      { currency: "XXX" },
      { owner_id: "rare", currency: "USD" },
    ],
  },
  {
    route: "/api/v1/ledger/accounts/{account}/statement",
    params: { currency: "" },
    read: (on, { code, after }) =>
      selectStatement(on, { code: String(code), currency: "USD" }, BigInt(String(after ?? 0)), page.limit),
    filters: [
      { code: "psp:stripe:clearing" },
      { code: "psp:stripe:clearing", after: 150_000 },
      { code: "none" },
    ],
  },
  {
    route: "/api/v1/dead_letters",
    read: (on, filter) => selectDeadLetters(on, { ...filter, ...page }),
    params: { state: "state", queue: "queue" },
    filters: [
      {},
      { before },
      { state: "waiting" },
      { state: "discarded", before },
      { queue: "payment_execute" },
      { queue: "none" },
      { state: "waiting", queue: "payment_execute" },
    ],
  },
  {
    route: "/api/v1/approvals",
    read: (on, filter) => selectApprovals(on, { ...filter, ...page }),
    params: { kind: "kind", state: "state" },
    filters: [{}, { state: "open" }, { kind: "attempt_resolution" }],
  },
  {
    route: "/api/v1/audit_log",
    read: (on, filter) => selectAudits(on, { ...filter, ...page }),
    params: {
      actor: "actor",
      action: "action",
      subject_type: "subject",
      subject_id: "subject",
      "occurred_at[gte]": "occurred_from",
      "occurred_at[lt]": "occurred_until",
    },
    filters: [
      {},
      { actor: "key:x" },
      { actor: "none" },
      { action: "payment_order.cancel" },
      { action: "none" },
      { actor: "key:x", action: "none" },
      { subject: { type: "payment_order", id: "s7" } },
      { occurred_from: middle },
      { occurred_until: early },
      { actor: "none", occurred_from: early, occurred_until: late },
    ],
  },
  {
    route: "/api/v1/unresolved_orders",
    read: (on, filter) => selectUnresolved(on, { at: new Date(), seconds_min: 0, ...filter, ...page }),
    params: { seconds_min: "seconds_min" },
    filters: [{}, { seconds_min: 9_999_999 }, { after: { created_at: middle, payment_order_id: "x" } }],
  },
];

describe.for(lists)(`of ${rows} rows, $route reads no more than a page needs`, ({ read, filters }) => {
  test.for(filters.map((filter) => [nameOf(filter), filter] as const))("with %s", async ([, filter]) => {
    const { database, plans } = observed();
    await read(database, filter);
    expect(plans.length).toBeGreaterThan(0);
    expect(faultsOf(plans)).toEqual([]);
  });
});

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
