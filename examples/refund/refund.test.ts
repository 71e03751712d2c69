import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { createClock } from "../../src/clock.ts";
import { chart, postAll, type TransactionDraft } from "../../src/ledger/ledger.ts";
import { createLogger } from "../../src/log.ts";
import { toCurrencyCode } from "../../src/money/money.ts";
import { operationKinds } from "../../src/payments/record/operation-kind.ts";
import { OperationRunner } from "../../src/payments/operations/operation-runner.ts";
import { OutcomeRecorder } from "../../src/payments/record/outcome-recorder.ts";
import { postingsOf } from "../../src/payments/posting/postings.ts";
import { lockOrder } from "../../src/payments/store/queries.ts";
import { retryPolicies } from "../../src/payments/model/retry-policies.ts";
import { PspRouter, type OperationOutcome } from "../../src/psp/psp.ts";
import { createStripe } from "../../src/psp/stripe/stripe.ts";
import { attemptOf, insertOrder, postInOrder, type OrderFixture } from "../../test/support/booked-orders.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { adjustment } from "../../test/support/ledger.ts";
import { simulatorKey } from "../../test/support/simulator.ts";
import { refundKind, type RefundRequest } from "./refund-kind.ts";
import { requestRefund } from "./request-refund.ts";

/** A PSP that keeps keys, as a real one does. The simulator knows no refunds yet. */
const psp = { made: new Map<string, bigint>(), loses_answer: false, refuses: false };

async function refundThere({ psp_key, money, turn }: RefundRequest): Promise<OperationOutcome> {
  if (psp.refuses)
    return {
      kind: "failed",
      failure: { class: "hard_decline", code: "refund_refused", message: "Refused." },
    };
  if (turn === "ask_only" && !psp.made.has(psp_key)) return { kind: "unknown", reason: "Not seen." };
  psp.made.set(psp_key, money.amount_minor);
  if (psp.loses_answer && turn === "first_send") return { kind: "unknown", reason: "The connection broke." };
  const reference = `re_${psp_key}`;
  return { kind: "done", psp_reference: reference, references: [{ type: "refund", reference }] };
}

let db: TestDatabase;
let jobs: Jobs;
let recorder: OutcomeRecorder;
let runner: OperationRunner;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.asOwner(await readFile(join(import.meta.dirname, "refund.sql"), "utf8"));
  const { database } = db;
  const log = createLogger("silent");
  jobs = new Jobs({ url: db.service_url, log, lease_seconds: 30, is_supervisor: true });
  await jobs.start();
  const policies = retryPolicies({ attempts_max: 3, backoff_base: 1 });
  const kinds = operationKinds([
    refundKind({ policies, random: () => 0, refund: (_router, _psp, request) => refundThere(request) }),
  ]);
  const stripe = createStripe({
    name: "stripe",
    secret_key: simulatorKey,
    webhook_secrets: [],
    api_base: new URL("http://127.0.0.1:9"),
    timeout_ms: 500,
    connections_max: 1,
  });
  const router = new PspRouter([stripe], { failures_in_a_row: 10, open_seconds: 1 });
  recorder = new OutcomeRecorder({ database, jobs, clock: createClock(0), decideCharge: () => null, kinds });
  runner = new OperationRunner({
    database,
    jobs,
    router,
    recorder,
    kinds,
    log,
    concurrency: 4,
    lease_seconds: 30,
    unknown_quiet_seconds: 1,
    idle_poll_ms: 50,
  });
  runner.start();
});
afterAll(async () => {
  const checks = await verifyBooks(db.database);
  await runner.stop();
  await recorder.close();
  await jobs.stop();
  await db.drop();
  expect(checks.flatMap(({ faults }) => faults)).toEqual([]);
});

/** An order of 30.00 that its seller has pending in full. */
async function paidOrder(payment_order_id: string): Promise<OrderFixture> {
  const order: OrderFixture = {
    payment_order_id,
    seller_account: `seller-of-${payment_order_id}`,
    amount_minor: 3_000n,
    currency: "USD",
    psp: "stripe",
    capture_method: "automatic",
    statuses: ["SUCCESS"],
    captured_minor: 3_000n,
  };
  await insertOrder(db, order);
  const facts = { ...order, captured_minor: 0n, operation_id: null, failed_capture_count: 0 };
  const booking = { authorizes_minor: 0n, captures_minor: 3_000n, releases_minor: 0n, undoes_minor: 0n };
  await postInOrder(db, postingsOf(facts, booking, 0n));
  return order;
}

/** `taken`: what is booked in the same commit, before the refund can be made. */
function refund(
  { payment_order_id }: OrderFixture,
  amount_minor: bigint,
  taken: readonly TransactionDraft[] = [],
): Promise<string> {
  return db.database.transaction(async (tx) => {
    const order = await lockOrder(tx, payment_order_id);
    if (order === undefined) throw new Error(`no order ${payment_order_id}`);
    const operation_id = await requestRefund(tx, { jobs }, { ...order, psp: "stripe" }, amount_minor, "test");
    await postAll(tx, taken);
    return operation_id;
  });
}

async function waitForStatus(operationId: string, status: string): Promise<void> {
  jobs.wake("operation_execute");
  await vi.waitFor(
    async () => {
      const rows = await db.asService("select status from operations where operation_id = $1", [operationId]);
      expect(rows).toEqual([{ status }]);
    },
    { timeout: 15_000, interval: 50 },
  );
}

/** What a seller has pending and reserved. */
async function moneyOf({ seller_account }: OrderFixture): Promise<Record<string, string>> {
  const rows = await db.asService(
    "select split_part(code, ':', 3) as part, -balance_minor as amount from ledger_accounts where owner_id = $1",
    [seller_account],
  );
  return Object.fromEntries(rows.map(({ part, amount }) => [String(part), String(amount)]));
}

test("a refund whose answer is lost is asked about, made once, and then booked", async () => {
  const order = await paidOrder("lost");
  psp.loses_answer = true;
  const id = await refund(order, 1_000n);
  expect(await moneyOf(order)).toEqual({ pending: "2000", reserved: "1000" });
  await waitForStatus(id, "succeeded");
  psp.loses_answer = false;
  expect([...psp.made].filter(([key]) => key.startsWith(id))).toEqual([[`${id}-1`, 1_000n]]);
  expect(await moneyOf(order)).toEqual({ pending: "2000", reserved: "0" });
});

test("a refused refund gives the seller the money back", async () => {
  const order = await paidOrder("refused");
  psp.refuses = true;
  await waitForStatus(await refund(order, 1_000n), "failed");
  psp.refuses = false;
  expect(await moneyOf(order)).toEqual({ pending: "3000", reserved: "0" });
});

test("a refund that was made but breaks a floor of the books is shown to a person", async () => {
  const order = await paidOrder("unbooked");
  const reserved = chart.sellerReserved(order.seller_account, toCurrencyCode("USD"));
  const taken: TransactionDraft = {
    ...adjustment("taken-from-the-reserve"),
    entries: [
      { account: reserved, amount_minor: 1n },
      { account: chart.suspense(toCurrencyCode("USD")), amount_minor: -1n },
    ],
  };
  const operation_id = await refund(order, 1_000n, [taken]);
  await waitForStatus(operation_id, "succeeded");
  expect(await moneyOf(order)).toEqual({ pending: "2000", reserved: "999" });
  const letters = await db.asService("select kind, reason from dead_letters where subject_id = $1", [
    "unbooked",
  ]);
  expect(letters).toEqual([
    { kind: "discrepancy", reason: expect.stringContaining("is not booked") as string },
  ]);
});

test("refuses a refund of more than is left of the order", async () => {
  const order = await paidOrder("twice");
  await waitForStatus(await refund(order, 2_000n), "succeeded");
  await expect(refund(order, 1_001n)).rejects.toMatchObject({ code: "state_conflict" });
  expect(await moneyOf(order)).toEqual({ pending: "1000", reserved: "0" });
});

test("a refund that was made although the PSP had refused it is shown to a person", async () => {
  const order = await paidOrder("contradicted");
  psp.refuses = true;
  const operation_id = await refund(order, 1_000n);
  await waitForStatus(operation_id, "failed");
  psp.refuses = false;
  await recorder.record({
    payment_order_id: order.payment_order_id,
    attempt_id: attemptOf(order),
    outcome: { kind: "done", psp_reference: "re_late" },
    actor: "webhook:stripe",
    source: { kind: "webhook", message_id: "late", operation_id },
  });
  const letters = await db.asService("select kind, reason from dead_letters where subject_id = $1", [
    "contradicted",
  ]);
  expect(letters).toEqual([
    {
      kind: "discrepancy",
      reason: `The PSP reports the refund ${operation_id} as done; here it has failed.`,
    },
  ]);
});
