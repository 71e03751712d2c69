import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newId } from "../../src/ids.ts";
import { createClock } from "../../src/clock.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { createLogger } from "../../src/log.ts";
import { retryPolicies } from "../../src/payments/model/retry-policies.ts";
import { redriveOperation } from "../../src/payments/orders/operation-requests.ts";
import { resolveOperation } from "../../src/payments/orders/operation-resolution.ts";
import { operationKinds } from "../../src/payments/record/operation-kind.ts";
import { OutcomeRecorder } from "../../src/payments/record/outcome-recorder.ts";
import { WebhookApplier } from "../../src/payments/reports/webhook-apply.ts";
import { createAdyen } from "../../src/psp/adyen/adyen.ts";
import { PspRouter, type Psp } from "../../src/psp/psp.ts";
import { openInbox, type Inbox } from "../../src/webhooks/webhooks.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { nudgeKind } from "../support/nudge.ts";

const account = (name: string): Psp =>
  createAdyen({
    name,
    secret_key: "adyen_test_simulator",
    merchant_account: "Shop",
    webhook_secrets: [],
    api_base: new URL("http://127.0.0.1:9"),
    has_multiple_partial_captures: true,
    return_url: "https://shop.example/",
    timeout_ms: 500,
    connections_max: 1,
  });

let db: TestDatabase;
let jobs: Jobs;
let inbox: Inbox;
let stop: () => Promise<void>;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.asOwner(
    `insert into operation_kinds (kind, unknown_inquiries_max, accepted_inquiries_max, is_reopenable)
     values ('nudge', 2, 2, false), ('push', 2, 2, true)`,
  );
  const { database } = db;
  const log = createLogger("silent");
  jobs = new Jobs({ url: db.service_url, log, lease_seconds: 30, is_supervisor: true });
  await jobs.start();
  const terms = { policies: retryPolicies({ attempts_max: 3, backoff_base: 1 }), random: 0 };
  const kinds = operationKinds([nudgeKind(terms)]);
  const recorder = new OutcomeRecorder({
    clock: createClock(0),
    database,
    jobs,
    decideCharge: () => null,
    kinds,
  });
  const router = new PspRouter([account("adyen"), account("other")], {
    failures_in_a_row: 10,
    open_seconds: 1,
  });
  const applier = new WebhookApplier({ database, jobs, router, recorder, log, idle_poll_ms: 50 });
  applier.start();
  inbox = openInbox(database, jobs);
  stop = async () => {
    await inbox.close();
    await applier.stop();
    await recorder.close();
    await jobs.stop();
  };
});
afterAll(async () => {
  await stop();
  await db.drop();
});

async function insert(status: string, changes: { kind?: string; lane?: string } = {}): Promise<string> {
  const operation_id = newId("op");
  const { kind = "nudge", lane = operation_id } = changes;
  await db.asService(
    `insert into operations (operation_id, kind, lane, is_final, psp, currency, status, created_by)
     values ($1, $2, $3, false, 'adyen', 'USD', $4, 'test')`,
    [operation_id, kind, lane, status],
  );
  return operation_id;
}

const statusOf = async (id: string): Promise<unknown> =>
  (await db.asService("select status from operations where operation_id = $1", [id]))[0]?.["status"];

/** What became of the message about a change that the account reports as made. */
async function reported(psp: string, pspReference: string, merchantReference: string): Promise<unknown> {
  const item = {
    eventCode: "CAPTURE",
    success: "true",
    pspReference,
    merchantReference,
    merchantAccountCode: "Shop",
    amount: { value: 1, currency: "USD" },
    additionalData: { hmacSignature: "verified before" },
  };
  const body = JSON.stringify({ live: "false", notificationItems: [{ NotificationRequestItem: item }] });
  const psp_event_id = newId("inwh");
  await inbox.store({ psp, psp_event_id, type: "CAPTURE", attempt_id: null, payment_order_id: null, body });
  return vi.waitFor(
    async () => {
      const [row] = await db.asOwner("select state, note from webhook_inbox where psp_event_id = $1", [
        psp_event_id,
      ]);
      expect(row?.["state"]).not.toBe("received");
      return row?.["state"];
    },
    { timeout: 10_000, interval: 50 },
  );
}

test("a webhook about an operation without a charge is applied, by our id or by the PSP's", async () => {
  const ours = await insert("pending");
  expect(await reported("adyen", "ref-1", ours)).toBe("applied");
  expect(await statusOf(ours)).toBe("succeeded");
  const theirs = await insert("pending");
  await db.asService("update operations set psp_reference = 'ref-2' where operation_id = $1", [theirs]);
  await db.asService(
    "insert into psp_references (psp, reference, type, subject_id) values ('adyen', 'ref-2', 'payout', $1)",
    [theirs],
  );
  expect(await reported("adyen", "ref-2", "")).toBe("applied");
  expect(await statusOf(theirs)).toBe("succeeded");
});

test("a webhook of another account says nothing about it", async () => {
  const id = await insert("pending");
  expect(await reported("other", "ref-3", id)).toBe("unmatched");
  expect(await statusOf(id)).toBe("pending");
});

test("a webhook waits while an operation of its account may have a reference that we have not heard yet", async () => {
  const id = await insert("pending");
  expect(await reported("adyen", "ref-4", "")).toBe("unmatched");
  expect(await reported("other", "ref-4", "")).toBe("ignored");
  await db.asService("update operations set psp_reference = 'ref-4' where operation_id = $1", [id]);
  await db.asService("update operations set status = 'failed' where status = 'pending'");
  expect(await reported("adyen", "ref-5", "")).toBe("ignored");
});

const redrive = (id: string): Promise<void> =>
  db.database.transaction((tx) => redriveOperation(tx, { jobs }, id, "test"));

test("its dead letter can be redriven while it is open; one that has failed is to be requested anew", async () => {
  const open = await insert("unknown");
  await redrive(open);
  expect(
    await db.asOwner("select 1 from pgboss.job where data ->> 'operation_id' = $1", [open]),
  ).toHaveLength(1);
  await expect(redrive(await insert("failed"))).rejects.toThrow("The nudge has failed: request another one.");
});

const reopen = async (id: string): Promise<unknown> => {
  const by = { actor: "key:key_1", request_id: null };
  const resolution = { outcome: "succeeded", note: "It is there." } as const;
  return db.database.transaction((tx) => resolveOperation(tx, jobs, id, resolution, by));
};

test("a person may say that a failed one was made only if its kind lets them and its lane is free", async () => {
  await expect(reopen(await insert("failed"))).rejects.toThrow("A nudge that has failed stays failed");
  const failed = await insert("failed", { kind: "push", lane: "free" });
  expect(await reopen(failed)).toMatchObject({ is_new: true, operation: { attempt_id: null } });
  expect(await statusOf(failed)).toBe("unknown");
  const behind = await insert("failed", { kind: "push", lane: "free" });
  await expect(reopen(behind)).rejects.toThrow("Another operation of its lane is in progress.");
});
