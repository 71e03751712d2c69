import { monotonicMilliseconds } from "../src/clock.ts";
import { Entries, OrderDetail, type Entry } from "./answers.ts";
import type { Client } from "./client.ts";
import { bodyOf, declined, killed, transient } from "./fixtures.ts";
import type { Step } from "./step-context.ts";
import { pathOf } from "./steps-checkout.ts";

export const declineAndRetry: Step = {
  title: "A payment that fails, and its retry",
  proves: "A card that the bank declines is not retried automatically, only on request.",
  async run({ client, report, checks }) {
    const { payment_order_id } = declined;
    await client.post("/payments", bodyOf(declined));
    const failed = await client.waitForOrder(payment_order_id, "FAILED");
    const reply = await client.post(`/payments/${payment_order_id}/retry`);
    const again = await client.waitForOrder(payment_order_id, "FAILED");
    report.line(`${failed.amount} ${failed.currency} with ${declined.token}   ${pathOf(failed)}`);
    report.line(
      `POST /api/v1/payments/${payment_order_id}/retry   ${pathOf(again).slice(pathOf(failed).length).replace(/^ → /, "")}`,
    );
    checks.check(
      "FAILED after one attempt: card_declined",
      [failed.attempts.length, failed.error_code],
      [1, "card_declined"],
    );
    const keys = new Set(again.attempts.map((attempt) => attempt.psp_key));
    checks.check(
      "the retry is a second attempt with a new key; the bank declines it too",
      [reply.status, again.retry_count, again.attempts.map((attempt) => attempt.status), keys.size],
      [200, 1, ["declined", "declined"], 2],
    );
    checks.check(
      "no charge at the PSP, no entry in the ledger",
      [await client.countCharges(payment_order_id), await entriesOf(client, payment_order_id)],
      [0, []],
    );
  },
};

export const transientFailure: Step = {
  title: "A failure that passes",
  proves: "The PSP fails the first attempt. Pacioli waits about a second (then 2, 4, 8) and tries again.",
  async run({ client, report, checks }) {
    const { payment_order_id } = transient;
    await client.post("/payments", bodyOf(transient));
    const order = await client.waitForOrder(payment_order_id, "SUCCESS");
    report.line(pathOf(order));
    checks.check(
      "processing_error at the first attempt, paid at the second, automatically",
      order.attempts.map((attempt) => [attempt.failure_code, attempt.status]),
      [
        ["processing_error", "declined"],
        [null, "succeeded"],
      ],
    );
    checks.check(
      `one charge of ${order.amount} ${order.currency}`,
      await client.countCharges(payment_order_id),
      1,
    );
  },
};

export const killInTheMiddle: Step = {
  title: "kill -9 in the middle of a charge",
  proves:
    "The worst moment: the PSP has charged, its answer is on the way, its webhook is lost, and Pacioli dies.",
  async run({ client, report, checks, stack }) {
    const { payment_order_id } = killed;
    await client.loseWebhooks(true);
    await client.post("/payments", bodyOf(killed));
    await client.waitForCharge(payment_order_id);
    const before = await client.get(`/payments/${payment_order_id}`, OrderDetail);
    checks.check(
      "charged at the PSP; here the order is still EXECUTING and the ledger has no entries",
      [await client.countCharges(payment_order_id), before.status, await entriesOf(client, payment_order_id)],
      [1, "EXECUTING", []],
    );
    const processId = stack.service.process_id;
    const start = monotonicMilliseconds();
    await stack.service.kill();
    checks.check(`kill -9 ${processId ?? ""}: Pacioli is gone`, stack.service.is_running, false);
    await stack.restartService();
    report.line(
      `Restarted as process ${stack.service.process_id ?? ""}; it takes the order over when the dead process's lease ends …`,
    );
    const after = await client.waitForOrder(payment_order_id, "SUCCESS");
    const seconds = ((monotonicMilliseconds() - start) / 1_000).toFixed(1);
    checks.check(
      `SUCCESS ${seconds} s after the kill: it asked the PSP about the attempt, and did not charge again`,
      [after.attempts.map((attempt) => attempt.status), (after.attempts[0]?.inquiry_count ?? 0) > 0],
      [["succeeded"], true],
    );
    checks.check(
      "one charge at the PSP, one transaction of two entries in the ledger",
      [await client.countCharges(payment_order_id), (await entriesOf(client, payment_order_id)).length],
      [1, 2],
    );
    await client.loseWebhooks(false);
  },
};

/** The order's ledger entries. */
async function entriesOf(client: Client, paymentOrderId: string): Promise<readonly Entry[]> {
  return (await client.get(`/ledger?transaction_id=${paymentOrderId}`, Entries)).data;
}
