import { afterAll, beforeAll, expect, test } from "vitest";
import { Random } from "../../chaos/random.ts";
import { createClock } from "../../src/clock.ts";
import { Database } from "../../src/db/db.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { chart } from "../../src/ledger/ledger.ts";
import { createLogger } from "../../src/log.ts";
import { operationKinds } from "../../src/payments/record/operation-kind.ts";
import { OutcomeRecorder } from "../../src/payments/record/outcome-recorder.ts";
import { emptyPlan } from "../../src/payments/record/plan.ts";
import { attemptOf, insertOrder, type OrderFixture } from "../support/booked-orders.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { account, transfer, usd } from "../support/ledger.ts";

const processes_count = 4;
const bank = account("bank:races");

type Process = { readonly database: Database; readonly recorder: OutcomeRecorder };
/** What a PSP says of an order, with ids that it may have given for other orders too. */
type Told = { readonly id: string; readonly order: OrderFixture; readonly references: readonly string[] };

let db: TestDatabase;
let jobs: Jobs;
let processes: readonly Process[];
beforeAll(async () => {
  db = await createTestDatabase();
  // PostgreSQL looks for a deadlock after a second, and each would take as long.
  await db.asOwner(`alter database ${db.name} set deadlock_timeout = '20ms'`);
  const log = createLogger("silent");
  jobs = new Jobs({ url: db.service_url, log, lease_seconds: 30, is_supervisor: true });
  await jobs.start();
  processes = Array.from({ length: processes_count }, startProcess);
});
afterAll(async () => {
  for (const { recorder, database } of processes) {
    await recorder.close();
    await database.close();
  }
  await jobs.stop();
  await db.drop();
});

/** Connections and a recorder of its own. Each report books one minor unit on accounts that all reports share. */
function startProcess(): Process {
  const database = new Database({ url: db.service_url, application_name: "test-race", connections_max: 2 });
  const recorder = new OutcomeRecorder({
    database,
    jobs,
    clock: createClock(0),
    kinds: operationKinds([]),
    decideCharge: ({ actor }) => ({
      ...emptyPlan,
      postings: [transfer(`race:${actor}`, bank, chart.sellerPending("racer", usd), 1n)],
    }),
  });
  return { database, recorder };
}

async function newOrder(payment_order_id: string): Promise<OrderFixture> {
  const order: OrderFixture = {
    payment_order_id,
    seller_account: "racer",
    amount_minor: 100n,
    currency: "USD",
    psp: "stripe",
    capture_method: "automatic",
    statuses: [],
    captured_minor: 0n,
  };
  await insertOrder(db, order);
  return order;
}

const record = ({ recorder }: Process, { id, order, references }: Told): Promise<void> =>
  recorder.record({
    payment_order_id: order.payment_order_id,
    attempt_id: attemptOf(order),
    outcome: {
      kind: "pending",
      psp_reference: null,
      references: references.map((reference) => ({ type: "charge", reference })),
    },
    actor: id,
    source: { kind: "webhook", message_id: id, operation_id: null },
  });

/** Every process tells what it has at once. */
async function tellAll(told: readonly (readonly Told[])[]): Promise<void> {
  await Promise.all(
    processes.flatMap((process, index) => (told[index] ?? []).map((one) => record(process, one))),
  );
}

/** Every report is booked once, each id stands for one attempt, and each other claim of it is told to a person. */
async function expectNothingLost(told: readonly Told[]): Promise<void> {
  const booked = await db.asService("select 1 from ledger_transactions where subject_id = any ($1)", [
    told.map(({ id }) => `race:${id}`),
  ]);
  expect(booked).toHaveLength(told.length);

  const claims = new Map(
    told.flatMap(({ order, references }) =>
      references.map((reference) => [`${reference} ${attemptOf(order)}`, { order, reference }] as const),
    ),
  );
  const named = [...new Set(told.flatMap(({ references }) => references))];
  const stored = await db.asService(
    "select reference, subject_id from psp_references where reference = any ($1)",
    [named],
  );
  const holders = new Map(stored.map(({ reference, subject_id }) => [String(reference), String(subject_id)]));
  expect([...holders.keys()].toSorted()).toEqual(named.toSorted());
  for (const [reference, holder] of holders) expect(claims.has(`${reference} ${holder}`)).toBe(true);

  const lost = [...claims.values()].filter(
    ({ order, reference }) => holders.get(reference) !== attemptOf(order),
  );
  const letters = await db.asService(
    "select reason from dead_letters where kind = 'discrepancy' and state = 'waiting' and subject_id = any ($1)",
    [told.map(({ order }) => order.payment_order_id)],
  );
  expect(letters.map(({ reason }) => String(reason)).toSorted()).toEqual(
    lost
      .map(
        ({ order, reference }) =>
          `stripe names ${reference} (charge) for ${attemptOf(order)}, but it belongs to ` +
          `${holders.get(reference)}: one of the two may be booked without money.`,
      )
      .toSorted(),
  );
  expect(lost.length).toBeGreaterThan(0);
}

test("processes that store the same ids for different attempts, in any order: one holds each, the others are told", async () => {
  const random = new Random(1);
  for (let race = 0; race < 15; race++) {
    const shared = ["a", "b", "c", "d"].map((name) => `ch_single_${race}_${name}`);
    const told = await Promise.all(
      processes.map(async (_, process): Promise<Told[]> => {
        const id = `single-${race}-${process}`;
        const references = random.shuffle(shared).slice(0, random.integer(2, shared.length));
        return [{ id, order: await newOrder(id), references }];
      }),
    );
    await tellAll(told);
    await expectNothingLost(told.flat());
  }
});

// Of two reports about one order the second waits for the next round, in which its ids are no longer in order with
// those of the first: this is what deadlocks.
test("batches with several reports about an order: what deadlocks is written again, and nothing is lost", async () => {
  const random = new Random(2);
  for (let race = 0; race < 15; race++) {
    const shared = ["a", "b", "c", "d"].map((name) => `ch_batch_${race}_${name}`);
    const told = await Promise.all(
      processes.map(async (_, process): Promise<Told[]> => {
        const orders = await Promise.all([1, 2, 3].map((n) => newOrder(`batch-${race}-${process}-${n}`)));
        return [...orders, ...random.shuffle(orders)].map((order, n) => ({
          id: `${order.payment_order_id}-${n}`,
          order,
          references: random.shuffle(shared).slice(0, random.integer(1, 3)),
        }));
      }),
    );
    await tellAll(told);
    await expectNothingLost(told.flat());
  }
});
