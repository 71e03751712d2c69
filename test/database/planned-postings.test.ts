import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newId } from "../../src/ids.ts";
import { createClock } from "../../src/clock.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { chart, postAll, type AccountRef, type OrderedTransactionDraft } from "../../src/ledger/ledger.ts";
import { createLogger } from "../../src/log.ts";
import { retryPolicies } from "../../src/payments/model/retry-policies.ts";
import { operationKinds, type OperationKind } from "../../src/payments/record/operation-kind.ts";
import { failedInstead, planOfOperation } from "../../src/payments/record/operation-plan.ts";
import { OutcomeRecorder } from "../../src/payments/record/outcome-recorder.ts";
import { emptyPlan, type Plan } from "../../src/payments/record/plan.ts";
import type { PspReference } from "../../src/psp/psp.ts";
import { addReferences } from "../../src/payments/store/reference-queries.ts";
import type { RunnableOperation } from "../../src/payments/store/operation-turn-queries.ts";
import { attemptOf, insertOrder, type OrderFixture } from "../support/booked-orders.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { account, adjustment, transfer, usd } from "../support/ledger.ts";

const bank = account("bank:main");

/** Takes an amount from what a seller has pending, then from what is available. */
const levyPosting = ({ operation_id, lane, amount_minor }: RunnableOperation): OrderedTransactionDraft => ({
  ...adjustment(`levy:${operation_id}`),
  entries: [{ account: chart.platformCommission(usd), amount_minor: -(amount_minor ?? 0n) }],
  shared: [
    {
      shared_minor: amount_minor ?? 0n,
      bearers: [
        { account: chart.sellerPending(lane, usd), max_minor: null },
        { account: chart.sellerAvailable(lane, usd), max_minor: null },
      ],
    },
  ],
});

/** `bookings`: what its success books, with what follows from a refusal. */
const levyKind = (
  kind: string,
  bookings: (operation: RunnableOperation) => Pick<Plan, "postings" | "if_refused">,
): OperationKind => ({
  kind,
  request: () => ({ kind: "known", outcome: { kind: "done", psp_reference: null } }),
  decide: (state) => {
    if (state.subject === "charge") throw new Error("a levy is about no charge");
    const policies = retryPolicies({ attempts_max: 3, backoff_base: 1 });
    const plan = planOfOperation(state, { policies, random: 0 });
    return plan === null ? null : { ...plan, ...bookings(state.operation) };
  },
});

const ifBelowFloor = (operation: RunnableOperation): Plan["if_refused"] => {
  const message = "The seller has too little.";
  return { below_floor: failedInstead(operation, { class: "hard_decline", code: "below_floor", message }) };
};

const kinds = operationKinds([
  levyKind("levy", (operation) => ({
    postings: [levyPosting(operation)],
    if_refused: ifBelowFloor(operation),
  })),
  levyKind("certain_levy", (operation) => ({ postings: [levyPosting(operation)], if_refused: null })),
  levyKind("split_levy", (operation) => ({
    postings: [
      levyPosting(operation),
      transfer(`split:${operation.operation_id}`, bank, account("split"), 1n),
    ],
    if_refused: ifBelowFloor(operation),
  })),
]);

let db: TestDatabase;
let jobs: Jobs;
let recorder: OutcomeRecorder;
beforeAll(async () => {
  db = await createTestDatabase();
  for (const kind of kinds.keys())
    await db.asOwner(
      "insert into operation_kinds (kind, unknown_inquiries_max, accepted_inquiries_max) values ($1, 2, 2)",
      [kind],
    );
  jobs = new Jobs({
    url: db.service_url,
    log: createLogger("silent"),
    lease_seconds: 30,
    is_supervisor: true,
  });
  await jobs.start();
  const { database } = db;
  recorder = new OutcomeRecorder({
    clock: createClock(0),
    database,
    jobs,
    kinds,
    decideCharge: (_report, { payment_order_id, seller_account }) => ({
      ...emptyPlan,
      postings: [transfer(`order:${payment_order_id}`, bank, chart.sellerPending(seller_account, usd), 10n)],
    }),
  });
});
afterAll(async () => {
  await recorder.close();
  await jobs.stop();
  await db.drop();
});

async function fund(named: AccountRef, amount_minor: bigint): Promise<void> {
  await db.database.transaction((tx) =>
    postAll(tx, [transfer(`fund:${named.code}`, bank, named, amount_minor)]),
  );
}

async function levy(seller: string, amount_minor: bigint, kind = "levy"): Promise<string> {
  const operation_id = newId("op");
  await db.asService(
    `insert into operations (operation_id, kind, lane, is_final, psp, currency, amount_minor, created_by)
     values ($1, $2, $3, false, 'stripe', 'USD', $4, 'test')`,
    [operation_id, kind, seller, amount_minor],
  );
  return operation_id;
}

const recordDone = (operation_id: string, references: readonly PspReference[] = []): Promise<void> =>
  recorder.record({
    payment_order_id: null,
    attempt_id: null,
    outcome: { kind: "done", psp_reference: null, references },
    actor: "test",
    source: { kind: "webhook", message_id: operation_id, operation_id },
  });

const recordPaid = (order: OrderFixture): Promise<void> =>
  recorder.record({
    payment_order_id: order.payment_order_id,
    attempt_id: attemptOf(order),
    outcome: { kind: "pending", psp_reference: null },
    actor: "test",
    source: { kind: "webhook", message_id: order.payment_order_id, operation_id: null },
  });

async function outcomeOf(id: string): Promise<unknown> {
  const [row] = await db.asService("select status, failure_code from operations where operation_id = $1", [
    id,
  ]);
  return row;
}

async function moneyOf(seller: string): Promise<Record<string, string>> {
  const rows = await db.asService(
    "select split_part(code, ':', 3) as part, -balance_minor as amount from ledger_accounts where owner_id = $1",
    [seller],
  );
  return Object.fromEntries(rows.map(({ part, amount }) => [String(part), String(amount)]));
}

const succeeded = { status: "succeeded", failure_code: null };

test("a plan takes an amount from its accounts in their order, as far as their floors allow", async () => {
  await fund(chart.sellerPending("ann", usd), 50n);
  await fund(chart.sellerAvailable("ann", usd), 30n);
  const id = await levy("ann", 60n);
  await recordDone(id);
  expect(await outcomeOf(id)).toEqual(succeeded);
  expect(await moneyOf("ann")).toEqual({ pending: "0", available: "20" });
});

test("an operation whose amount its seller cannot bear fails with a dead letter, and its neighbours stand", async () => {
  await fund(chart.sellerPending("bob", usd), 50n);
  await fund(chart.sellerPending("cat", usd), 50n);
  const [tooMuch, enough] = [await levy("bob", 51n), await levy("cat", 50n)];
  const next = await levy("bob", 1n);
  await Promise.all([recordDone(tooMuch), recordDone(enough)]);
  expect(await outcomeOf(tooMuch)).toEqual({ status: "failed", failure_code: "below_floor" });
  expect(await outcomeOf(enough)).toEqual(succeeded);
  expect([await moneyOf("bob"), await moneyOf("cat")]).toEqual([
    { pending: "50", available: "0" },
    { pending: "0", available: "0" },
  ]);
  const letters = await db.asService("select reason from dead_letters where subject_id = $1", [tooMuch]);
  expect(letters).toEqual([{ reason: "The levy was not booked: The seller has too little." }]);
  const queued = await db.asOwner("select data from pgboss.job where data ->> 'operation_id' = $1", [next]);
  expect(queued).toHaveLength(1);
});

test("an older letter about an operation does not hide that the PSP made it and nothing was booked", async () => {
  await fund(chart.sellerPending("jan", usd), 50n);
  const id = await levy("jan", 51n);
  await db.asService(
    `insert into dead_letters (dead_letter_id, queue, subject_id, payload, reason, attempt_count)
     values ('dead_older', 'operation_execute', $1, '{}', 'The outcome is unknown.', 1)`,
    [id],
  );
  await recordDone(id);
  const letters = await db.asService(
    "select kind, reason from dead_letters where subject_id = $1 order by dead_letter_id <> 'dead_older'",
    [id],
  );
  expect(letters).toMatchObject([
    { kind: "work" },
    { kind: "discrepancy", reason: "The levy was not booked: The seller has too little." },
  ]);
});

test("the PSP's ids of an operation are stored also if the ledger refuses it, and each conflict is told", async () => {
  await fund(chart.sellerPending("hal", usd), 50n);
  const [holder, tooMuch] = [await levy("hal", 10n), await levy("hal", 51n)];
  const done = (id: string, reference: string): Promise<void> =>
    recordDone(id, [{ type: "transfer", reference }]);
  await done(holder, "tr_held");
  await Promise.all([done(tooMuch, "tr_refused"), done(tooMuch, "tr_held")]);
  expect(await outcomeOf(tooMuch)).toEqual({ status: "failed", failure_code: "below_floor" });
  const stored = await db.asService("select subject_id from psp_references where reference = 'tr_refused'");
  expect(stored).toEqual([{ subject_id: tooMuch }]);
  const letters = await db.asService(
    "select reason from dead_letters where subject_id = $1 and reason like '%tr_held%'",
    [tooMuch],
  );
  expect(letters).toEqual([
    { reason: expect.stringContaining(`names tr_held (transfer) for ${tooMuch}`) as string },
  ]);
});

test("a plan waits for ids that another process stores before it locks the ledger's accounts", async () => {
  await fund(chart.sellerPending("ida", usd), 50n);
  const [other, id] = [await levy("ida", 1n), await levy("ida", 1n)];
  let recording: Promise<void> | undefined;
  await db.database.transaction(async (tx) => {
    await tx.query("set local lock_timeout = '300ms'");
    await addReferences(tx, [{ psp: "stripe", type: "transfer", reference: "tr_ida", subject_id: other }]);
    recording = recordDone(id, [{ type: "transfer", reference: "tr_ida" }]);
    recording.catch(() => undefined);
    await vi.waitFor(async () => {
      const waiting =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      expect(await db.asOwner(waiting)).toHaveLength(1);
    });
    await postAll(tx, [transfer("meanwhile:ida", bank, chart.sellerPending("ida", usd), 1n)]);
  });
  await recording;
  expect(await outcomeOf(id)).toEqual(succeeded);
});

test("a refusal that no plan names fails its own report only", async () => {
  await fund(chart.sellerPending("dan", usd), 50n);
  await fund(chart.sellerPending("eve", usd), 50n);
  const [tooMuch, enough] = [await levy("dan", 51n, "certain_levy"), await levy("eve", 50n, "certain_levy")];
  const [refused, stood] = await Promise.allSettled([recordDone(tooMuch), recordDone(enough)]);
  expect(stood.status).toBe("fulfilled");
  expect(refused).toMatchObject({
    reason: { message: expect.stringContaining("was not posted: below_floor") as string },
  });
  expect([await outcomeOf(tooMuch), await outcomeOf(enough)]).toEqual([
    { status: "queued", failure_code: null },
    succeeded,
  ]);
});

test("a plan that may be refused must book one transaction, because the others would stand", async () => {
  await fund(chart.sellerPending("fay", usd), 50n);
  const id = await levy("fay", 51n, "split_levy");
  await expect(recordDone(id)).rejects.toThrow("books 2 transactions, and may book one");
  expect(
    await db.asService("select 1 from ledger_transactions where subject_id = $1", [`split:${id}`]),
  ).toEqual([]);
});

test("the charges and operations of a batch are posted in one call", async () => {
  await db.asOwner(
    `create table posted_together (count bigint);
     create function count_posted() returns trigger language plpgsql as $$
       begin insert into posted_together select count(*) from added; return null; end $$;
     create trigger count_posted after insert on ledger_transactions referencing new table as added
       for each statement execute function count_posted();`,
  );
  await fund(chart.sellerPending("gus", usd), 50n);
  const order: OrderFixture = {
    payment_order_id: "order-of-gus",
    seller_account: "gus",
    amount_minor: 10n,
    currency: "USD",
    psp: "stripe",
    capture_method: "automatic",
    statuses: [],
    captured_minor: 0n,
  };
  await insertOrder(db, order);
  const id = await levy("gus", 55n, "certain_levy");
  await db.asOwner("truncate posted_together");
  await Promise.all([recordPaid(order), recordDone(id)]);
  expect(await outcomeOf(id)).toEqual(succeeded);
  expect(await db.asOwner("select count from posted_together")).toEqual([{ count: "2" }]);
});
