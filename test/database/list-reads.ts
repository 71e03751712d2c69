import { selectApprovals } from "../../src/approvals/approvals.ts";
import { selectAudits } from "../../src/audit/audit.ts";
import type { Queryable } from "../../src/db/db.ts";
import { readEvents, type EventFilter } from "../../src/events/events.ts";
import { selectDeadLetters } from "../../src/jobs/jobs.ts";
import { selectAccounts, selectEntries, selectStatement } from "../../src/ledger/ledger.ts";
import { selectOrders, selectUnresolved } from "../../src/payments/payments.ts";
import { listWallets } from "../../src/wallets/wallets.ts";

export type Filters = Readonly<Record<string, unknown>>;

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

function eventFilter({ type, subject_type, subject_id }: Filters): EventFilter {
  return {
    ...(type === undefined ? {} : { type: String(type) }),
    ...(subject_id === undefined ? {} : { subject: { type: String(subject_type), id: String(subject_id) } }),
  };
}

export const lists: readonly List[] = [
  {
    route: "/api/v1/events",
    read: async (on, filter) => (await readEvents(on, null, page.limit, eventFilter(filter))).events,
    params: { type: "", subject_type: "", subject_id: "" },
    // Measured elsewhere: a page is sorted out of a piece of up to 5,000 events, which are 1,600 blocks.
    filters: [],
  },
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
      subject_id: "subject",
      subject_type: "subject",
      transaction_kind: "kind",
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
      { subject: { type: "order", id: "order-7" } },
      { subject: { type: "order", id: "order-7" }, kind: "captured" },
      { subject: { type: "order", id: "none" } },
      { subject: { type: "order", id: "none" }, currency: "JPY" },
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
    // The times are looked up as versions first.
    params: { currency: "", from: "", until: "" },
    read: (on, { code, after }) =>
      selectStatement(
        on,
        { code: String(code), currency: "USD" },
        { after_version: BigInt(String(after ?? 0)) },
        page.limit,
      ),
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
