import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newId } from "../../src/ids.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { createClock } from "../../src/clock.ts";
import { createLogger } from "../../src/log.ts";
import { operationKinds } from "../../src/payments/record/operation-kind.ts";
import { OperationRunner } from "../../src/payments/operations/operation-runner.ts";
import { OutcomeRecorder } from "../../src/payments/record/outcome-recorder.ts";
import { retryPolicies } from "../../src/payments/model/retry-policies.ts";
import { PspRouter, type Psp } from "../../src/psp/psp.ts";
import { createStripe } from "../../src/psp/stripe/stripe.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { nudgeKind, nudgePolicies } from "../support/nudge.ts";
import { simulatorKey, startTestSimulator, type TestSimulator } from "../support/simulator.ts";

let db: TestDatabase;
let simulator: TestSimulator;
let jobs: Jobs;
let stop: () => Promise<void>;
beforeAll(async () => {
  [db, simulator] = await Promise.all([createTestDatabase(), startTestSimulator()]);
  const { kind, unknown_inquiries_max, accepted_inquiries_max } = nudgePolicies;
  await db.asOwner("insert into operation_kinds values ($1, $2, $3)", [
    kind,
    unknown_inquiries_max,
    accepted_inquiries_max,
  ]);
  const { database } = db;
  const log = createLogger("silent");
  jobs = new Jobs({ url: db.service_url, log, lease_seconds: 30, is_supervisor: true });
  await jobs.start();
  const policies = retryPolicies({ attempts_max: 3, backoff_base: 1 });
  const kinds = operationKinds([nudgeKind({ policies, random: 0 })]);
  const decideCharge = (): null => null;
  const recorder = new OutcomeRecorder({ database, jobs, clock: createClock(0), decideCharge, kinds });
  const router = new PspRouter(
    [account("stripe", simulator.url), account("down", new URL("http://127.0.0.1:9"))],
    { failures_in_a_row: 1_000, open_seconds: 1, rules: [], calls_at_once_max: new Map() },
  );
  const runner = new OperationRunner({
    database,
    jobs,
    router,
    recorder,
    kinds,
    log,
    concurrency: 8,
    lease_seconds: 30,
    unknown_quiet_seconds: 1,
    idle_poll_ms: 50,
  });
  runner.start();
  stop = async () => {
    await runner.stop();
    await recorder.close();
    await jobs.stop();
  };
});
afterAll(async () => {
  await stop();
  await Promise.all([db.drop(), simulator.stop()]);
});

const account = (name: string, api_base: URL): Psp =>
  createStripe({
    name,
    secret_key: simulatorKey,
    webhook_secrets: [],
    api_base,
    timeout_ms: 500,
    connections_max: 4,
  });

async function nudge(lane: string, psp = "stripe"): Promise<string> {
  const operation_id = newId("op");
  await db.database.transaction(async (tx) => {
    await tx.query(
      `insert into operations (operation_id, kind, lane, is_final, psp, currency, created_by)
       values ($1, 'nudge', $2, false, $3, 'USD', 'test')`,
      [operation_id, lane, psp],
    );
    await jobs.enqueue(tx, "operation_execute", [{ data: { operation_id } }]);
  });
  jobs.wake("operation_execute");
  return operation_id;
}

async function operation(id: string): Promise<Record<string, unknown> | undefined> {
  const [row] = await db.asOwner(
    "select *, updated_at::text as changed_at from operations where operation_id = $1",
    [id],
  );
  return row;
}

const waitForStatus = (id: string, status: string): Promise<void> =>
  vi.waitFor(async () => expect(await operation(id)).toMatchObject({ status }), {
    timeout: 15_000,
    interval: 50,
  });

test("a new kind of operation runs with its two functions and its row of policies", async () => {
  const id = await nudge("seller:s-1:USD");
  await waitForStatus(id, "succeeded");
  expect(await operation(id)).toMatchObject({ epoch: 1, key_number: 1, failure_code: null });
});

test("operations of one lane run one after another", async () => {
  const ids = [];
  for (let n = 0; n < 5; n++) ids.push(await nudge("seller:s-2:USD"));
  for (const id of ids) await waitForStatus(id, "succeeded");
  const ended = await Promise.all(ids.map(async (id) => String((await operation(id))?.["changed_at"])));
  expect(ended).toEqual(ended.toSorted());
});

test("one whose PSP does not answer is asked about, and a person is told as its policies say", async () => {
  const id = await nudge("seller:s-3:USD", "down");
  await vi.waitFor(
    async () => {
      const [letter] = await db.asOwner("select reason from dead_letters where subject_id = $1", [id]);
      expect(letter).toMatchObject({ reason: expect.stringContaining("after 2 inquiries") as string });
    },
    { timeout: 20_000, interval: 200 },
  );
  expect(await operation(id)).toMatchObject({ status: "unknown" });
});

test("one whose PSP account is not configured waits with a dead letter, and holds nothing else up", async () => {
  const id = await nudge("seller:s-4:USD", "gone");
  await waitForStatus(await nudge("seller:s-5:USD"), "succeeded");
  const letters = await db.asOwner("select reason from dead_letters where subject_id = $1", [id]);
  expect(letters).toEqual([
    { reason: expect.stringContaining("The PSP account gone is not configured") as string },
  ]);
  expect(await operation(id)).toMatchObject({ status: "queued" });
});
