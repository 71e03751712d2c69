import { createHmac, randomBytes } from "node:crypto";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyPayments } from "../../src/payments/payments.ts";
import { deadLettersAbout, unresolvedOrders, type Letter, type Unresolved } from "../support/answers.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import {
  acceptCheckout,
  card,
  expectProblem,
  orderIn,
  path,
  postBytes,
  sentLongAgo,
  until,
} from "./requests.ts";

const lease_seconds = 3;
const stripe_secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
let other_key: string;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      SIMULATOR_WEBHOOK_SECRET: stripe_secret,
      PSP_STRIPE_WEBHOOK_SECRET: stripe_secret,
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: String(lease_seconds),
      PSP_BREAKER_FAILURES: "1000",
      RESOLUTION_APPROVAL_AMOUNTS: "USD:100.00",
    },
    has_webhooks: true,
  });
  other_key = (await stack.db.createKey("second person", ["read", "write", "admin"])).token;
});
afterAll(() => stack.stopAll());

const never_answered = "tok_fault_timeout_before_charge";

/** An order of this amount whose attempt stays UNKNOWN. */
async function undecided(
  amount = "29.99",
  changes: Record<string, unknown> = {},
): Promise<{ id: string; attempt_id: string }> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { ...card(never_answered), ...changes }, [{ amount }]);
  const order = await orderIn(stack, id, "UNKNOWN");
  return { id, attempt_id: order.attempts[0]?.attempt_id ?? "none" };
}

/** A signed webhook about the attempt. */
async function stripeTells(
  attempt_id: string,
  id: string,
  changes: { type?: string; intent?: Record<string, unknown> } = {},
): Promise<void> {
  const time = Math.floor(Date.now() / 1_000);
  const body = JSON.stringify({
    id: `evt_${randomBytes(8).toString("hex")}`,
    object: "event",
    api_version: "2026-01-01",
    created: time,
    livemode: false,
    type: changes.type ?? "payment_intent.succeeded",
    data: {
      object: {
        id,
        object: "payment_intent",
        status: "succeeded",
        amount: 2_999,
        amount_received: 2_999,
        currency: "usd",
        next_action: null,
        last_payment_error: null,
        metadata: { attempt_id },
        ...changes.intent,
      },
    },
  });
  const signature = createHmac("sha256", stripe_secret).update(`${time}.${body}`).digest("hex");
  const headers = {
    authorization: "",
    "content-type": "application/json",
    "stripe-signature": `t=${time},v1=${signature}`,
  };
  expect(await postBytes(stack, "/api/v1/webhooks/stripe", body, headers)).toMatchObject({ status: 200 });
}

let reference_count = 0;
const seen = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  outcome: "succeeded",
  psp_reference: `pi_seen_${++reference_count}`,
  amount: "29.99",
  currency: "USD",
  note: "Seen in the dashboard.",
  ...changes,
});
const failed = { outcome: "failed", note: "The dashboard has no such payment." };
const resolve = (attempt_id: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
  stack.call("POST", `/attempts/${attempt_id}/resolve`, body, headers);
const approve = (approval: Record<string, unknown>, key: string): Promise<Reply> =>
  stack.call(
    "POST",
    `/approvals/${String(approval["approval_id"])}/approve`,
    { content_hash: approval["content_hash"] },
    { authorization: `Bearer ${key}` },
  );
const capturesOf = (id: string): Promise<unknown[]> =>
  stack.db.asOwner("select source from ledger_transactions where source = $1", [`order:${id}:captured`]);
const lettersAbout = (id: string): Promise<Letter[]> => deadLettersAbout(stack, id);
const auditsOf = (subject: string): Promise<unknown[]> =>
  stack.db.asOwner("select action, reason from audit_log where subject_id = $1 order by audit_id", [subject]);

describe("an attempt that a person has seen succeed at the PSP", () => {
  test("is booked once under the reference that the person gave, and the audit log says who said so", async () => {
    const { id, attempt_id } = await undecided();
    const said = seen();
    const reply = await resolve(attempt_id, said);
    expect(reply, reply.text).toMatchObject({
      status: 202,
      json: {
        object: "payment_attempt",
        attempt_id,
        resolution: { outcome: "succeeded", psp_reference: said["psp_reference"] },
      },
    });
    const order = await orderIn(stack, id, "SUCCESS");
    expect(order).toMatchObject({
      captured_amount: "29.99",
      psp_token: said["psp_reference"],
      wallet_updated: true,
    });
    expect(order.transitions.at(-1)).toMatchObject({
      to_status: "SUCCESS",
      cause: "psp_succeeded",
      actor: expect.stringMatching(/^key:/) as string,
    });
    expect(await capturesOf(id)).toHaveLength(1);
    expect(await auditsOf(attempt_id)).toEqual([
      { action: "payment_attempt.resolve", reason: "Seen in the dashboard." },
    ]);
    expect(await lettersAbout(id)).toEqual([]);
  });

  test("gives the same answer when it is said again, and 409 when something else is said", async () => {
    const { id, attempt_id } = await undecided();
    const said = seen();
    await resolve(attempt_id, said);
    const again = await resolve(attempt_id, said);
    expect(again, again.text).toMatchObject({ status: 202, json: { resolution: { outcome: "succeeded" } } });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expectProblem(await resolve(attempt_id, seen()), 409, "state_conflict");
    expectProblem(await resolve(attempt_id, failed), 409, "state_conflict");
    await orderIn(stack, id, "SUCCESS");
    expect((await resolve(attempt_id, said)).status).toBe(202);
    expect(await capturesOf(id)).toHaveLength(1);
  });

  test("is refused with another amount or currency, another attempt's reference, or no reference", async () => {
    const first = await undecided();
    const second = await undecided();
    expectProblem(
      await resolve(first.attempt_id, seen({ amount: "29.98" })),
      422,
      "resolution_amount_mismatch",
      "amount",
    );
    expectProblem(
      await resolve(first.attempt_id, seen({ currency: "EUR" })),
      422,
      "resolution_amount_mismatch",
      "amount",
    );
    expectProblem(
      await resolve(first.attempt_id, seen({ psp_reference: undefined })),
      400,
      "invalid_request",
      "psp_reference",
    );
    expectProblem(
      await resolve(first.attempt_id, seen({ outcome: "authorized" })),
      400,
      "invalid_request",
      "outcome",
    );
    const said = seen();
    expect((await resolve(first.attempt_id, said)).status).toBe(202);
    expectProblem(await resolve(second.attempt_id, said), 409, "state_conflict", "psp_reference");
    expect(await orderIn(stack, second.id, "UNKNOWN")).toMatchObject({ status: "UNKNOWN" });
  });

  test("of which two persons say the same reference for two attempts at once is resolved for one of them", async () => {
    const attempts = await Promise.all([undecided(), undecided()]);
    const said = seen();
    const replies = await Promise.all(attempts.map(({ attempt_id }) => resolve(attempt_id, said)));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([202, 409]);
  });

  test("with another attempt's charge is a dead letter and a fault in the books when the PSP says so", async () => {
    const [one, other] = [await undecided(), await undecided()];
    await resolve(one.attempt_id, seen({ psp_reference: "pi_of_other" }));
    await orderIn(stack, one.id, "SUCCESS");
    expect(await lettersAbout(one.id)).toEqual([]);
    await stripeTells(other.attempt_id, "pi_of_other");
    await orderIn(stack, other.id, "SUCCESS");
    const reason = expect.stringContaining(`it belongs to ${one.attempt_id}`) as string;
    expect(await lettersAbout(other.id)).toMatchObject([{ kind: "discrepancy", reason }]);
    const faults = (await verifyPayments(stack.db.database)).flatMap((check) => check.faults);
    expect(faults).toMatchObject([
      { subject: `attempt ${one.attempt_id}` },
      { subject: `attempt ${other.attempt_id}` },
    ]);
  });

  test("has no open dead letter any more, nor its void; one about another attempt stays", async () => {
    const { id, attempt_id } = await undecided();
    await stack.db.asOwner(
      `insert into operations (operation_id, attempt_id, lane, psp, payment_order_id, kind, currency, is_final, void_cause, created_by)
       values ('op_of_resolved', $2::text, 'attempt:' || $2::text, 'stripe', $1, 'void', 'USD', true, 'canceled', 'test')`,
      [id, attempt_id],
    );
    await stack.db.asOwner(
      `insert into dead_letters (dead_letter_id, queue, subject_id, kind, payload, reason, attempt_count)
       select reason || $1, queue, subject_id, kind, jsonb_build_object('attempt_id', attempt_id), reason, 1
         from (values ('payment_execute', $1, 'work', $2, 'asked eight times'), ('payment_execute', $1, 'discrepancy', $2, 'about this one'),
                      ('payment_execute', $1, 'discrepancy', 'att_other', 'about another'), ('operation_execute', 'op_of_resolved', 'work', $2, 'about the void'))
              as l (queue, subject_id, kind, attempt_id, reason)`,
      [id, attempt_id],
    );
    await resolve(attempt_id, seen({ dead_letter_ids: [`about this one${id}`] }));
    const letters = await stack.db.asOwner(
      "select reason, state, decision_note from dead_letters where payload ->> 'attempt_id' in ($1, 'att_other') order by reason",
      [attempt_id],
    );
    const closed = { state: "discarded", decision_note: "resolved as succeeded: Seen in the dashboard." };
    expect(letters).toEqual([
      { reason: "about another", state: "waiting", decision_note: null },
      { reason: "about the void", ...closed },
      { reason: "about this one", ...closed },
      { reason: "asked eight times", ...closed },
    ]);
  });

  test("becomes AUTHORIZED when it was only to be authorised", async () => {
    const { id, attempt_id } = await undecided("29.99", { capture_method: "manual" });
    expect((await resolve(attempt_id, seen({ outcome: "authorized" }))).status).toBe(202);
    expect(await orderIn(stack, id, "AUTHORIZED")).toMatchObject({ captured_amount: "0.00" });
  });

  test("on a page pays every order of the checkout, once each, and only with the total", async () => {
    const changes = { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/back" } };
    const { order_ids } = await acceptCheckout(stack, changes, [{ amount: "20.00" }, { amount: "9.99" }]);
    const { attempts } = await orderIn(stack, order_ids[0], "PENDING");
    const attempt_id = attempts[0]?.attempt_id ?? "none";
    expectProblem(
      await resolve(attempt_id, seen({ amount: "20.00" })),
      422,
      "resolution_amount_mismatch",
      "amount",
    );
    expect((await resolve(attempt_id, seen())).status).toBe(202);
    for (const id of order_ids) {
      await orderIn(stack, id, "SUCCESS");
      expect(await capturesOf(id)).toHaveLength(1);
    }
  });

  test("and that was decided meanwhile cannot be resolved any more", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack);
    const { attempts } = await orderIn(stack, id, "SUCCESS");
    expectProblem(await resolve(attempts[0]?.attempt_id ?? "", seen()), 409, "state_conflict");
    expectProblem(await resolve("att_none", seen()), 404, "not_found", "attempt_id");
  });

  test.each([" pi_seen", "pi_seen ", "\u00a0pi_seen", "pi_seen\u2028", " "])(
    "is not booked under an id that was copied with what stands around it: %j",
    async (psp_reference) => {
      const { attempt_id } = await undecided();
      for (const said of [seen({ psp_reference }), { ...failed, psp_reference }])
        expectProblem(await resolve(attempt_id, said), 400, "invalid_request", "psp_reference");
    },
  );
});

describe.concurrent("an attempt that a person has seen fail", () => {
  test("frees the order for a new attempt under a new key, but not before any call that was under way has ended", async () => {
    const { id, attempt_id } = await undecided();
    const { json } = await resolve(attempt_id, failed);
    const { due_at } = json["resolution"] as { due_at: string };
    const [waited] = await stack.db.asOwner(
      "select extract(epoch from resolution_due_at - sent_at)::float8 as seconds from payment_attempts where attempt_id = $1",
      [attempt_id],
    );
    expect(waited).toEqual({ seconds: 2 * lease_seconds });
    expectProblem(await stack.call("POST", `/payments/${id}/retry`, {}), 409, "state_conflict");
    const order = await orderIn(stack, id, "FAILED");
    expect(Date.parse(order.transitions.at(-1)?.occurred_at ?? "")).toBeGreaterThanOrEqual(
      Date.parse(due_at),
    );
    expect(order).toMatchObject({
      error_code: "resolved_by_person",
      error_message: failed.note,
      attempts: [{ status: "declined" }],
    });
    expect((await stack.call("POST", `/payments/${id}/retry`, { card_token: "tok_visa_4242" })).status).toBe(
      200,
    );
    const paid = await orderIn(stack, id, "SUCCESS");
    expect(paid.attempts).toHaveLength(2);
    expect(paid.attempts[1]?.psp_key).not.toBe(attempt_id);
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
  });

  test("frees the order at once when nothing was sent for long", async () => {
    const { id, attempt_id } = await undecided();
    await sentLongAgo(stack, attempt_id);
    const { json } = await resolve(attempt_id, failed);
    expect(Date.parse((json["resolution"] as { due_at: string }).due_at)).toBeLessThanOrEqual(Date.now());
    await orderIn(stack, id, "FAILED");
  });

  test("is not asked about any more, and nothing is sent again", async () => {
    const { id, attempt_id } = await undecided();
    await resolve(attempt_id, failed);
    const due = (seconds: number): Promise<unknown> =>
      stack.db.asOwner(
        `update payment_attempts set resolution_due_at = now() + interval '${seconds} s' where attempt_id = $1`,
        [attempt_id],
      );
    const inquiries = (): Promise<unknown[]> =>
      stack.db.asOwner("select inquiry_count from payment_attempts where attempt_id = $1", [attempt_id]);
    await due(60);
    // The one that may have been under way ends.
    await new Promise((wait) => setTimeout(wait, 1_500));
    const before = await inquiries();
    // Inquiries are one to two seconds apart by now.
    await new Promise((wait) => setTimeout(wait, 4_500));
    expect(await inquiries()).toEqual(before);
    await due(0);
    await orderIn(stack, id, "FAILED");
  });

  test("opens a dead letter when the PSP later says that it succeeded, and books nothing", async () => {
    const { id, attempt_id } = await undecided();
    await sentLongAgo(stack, attempt_id);
    await resolve(attempt_id, failed);
    await orderIn(stack, id, "FAILED");
    await stripeTells(attempt_id, "pi_late");
    await until("a dead letter waits", async () => (await lettersAbout(id)).length > 0);
    expect(await capturesOf(id)).toEqual([]);
    expect(await orderIn(stack, id, "FAILED")).toMatchObject({ captured_amount: "0.00" });
  });
});

describe("a PSP's report against what a person said", () => {
  test("a refusal after a resolution as succeeded opens a dead letter, and what was booked stays", async () => {
    const { id, attempt_id } = await undecided();
    await resolve(attempt_id, seen({ psp_reference: "pi_refused" }));
    await orderIn(stack, id, "SUCCESS");
    await stripeTells(attempt_id, "pi_refused", {
      type: "payment_intent.canceled",
      intent: { status: "canceled", amount_received: 0 },
    });
    await until("a dead letter waits", async () => (await lettersAbout(id)).length > 0);
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "29.99" });
  });

  test("the same success changes nothing; one under another reference opens a dead letter", async () => {
    const { id, attempt_id } = await undecided();
    await resolve(attempt_id, seen({ psp_reference: "pi_same" }));
    await orderIn(stack, id, "SUCCESS");
    await stripeTells(attempt_id, "pi_same");
    await until(
      "the webhook is applied",
      async () =>
        (
          await stack.db.asOwner("select 1 from webhook_inbox where attempt_id = $1 and state = 'applied'", [
            attempt_id,
          ])
        ).length === 1,
    );
    expect(await lettersAbout(id)).toEqual([]);
    await stripeTells(attempt_id, "pi_other");
    await until("a dead letter waits", async () => (await lettersAbout(id)).length > 0);
    expect(await capturesOf(id)).toHaveLength(1);
  });

  test("a success before a resolution as failed takes effect is booked, and a person is told", async () => {
    const { id, attempt_id } = await undecided();
    await resolve(attempt_id, failed);
    await stripeTells(attempt_id, "pi_in_time");
    expect(await orderIn(stack, id, "SUCCESS", "FAILED")).toMatchObject({
      status: "SUCCESS",
      psp_token: "pi_in_time",
    });
    expect(await lettersAbout(id)).toMatchObject([
      { reason: expect.stringContaining("a person resolved") as string },
    ]);
  });
});

describe("a resolution above the limit", () => {
  test("waits for the approval of another key, and takes effect with it", async () => {
    const { id, attempt_id } = await undecided("100.01");
    const said = seen({ amount: "100.01" });
    const proposed = await resolve(attempt_id, said);
    expect(proposed, proposed.text).toMatchObject({
      status: 202,
      json: { object: "approval", kind: "attempt_resolution", subject_id: attempt_id, state: "open" },
    });
    expect(proposed.json["content"]).toEqual({ ...said, dead_letter_ids: null });
    expect((await stack.call("GET", "/approvals?state=open&limit=100")).json["data"]).toContainEqual(
      proposed.json,
    );
    expect((await resolve(attempt_id, said)).json["approval_id"]).toBe(proposed.json["approval_id"]);
    expectProblem(await resolve(attempt_id, seen({ amount: "100.01" })), 409, "state_conflict");
    expectProblem(await approve(proposed.json, "sk_dev"), 403, "approval_needs_another_key");
    expectProblem(
      await approve({ ...proposed.json, content_hash: "0".repeat(64) }, other_key),
      409,
      "state_conflict",
      "content_hash",
    );
    expect(await orderIn(stack, id, "UNKNOWN")).toMatchObject({ attempts: [{ resolution: null }] });
    const approved = await approve(proposed.json, other_key);
    expect(approved, approved.text).toMatchObject({ status: 200, json: { state: "approved" } });
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({
      captured_amount: "100.01",
      psp_token: said["psp_reference"],
    });
    expectProblem(await approve(proposed.json, other_key), 409, "state_conflict");
    expect(await auditsOf(String(proposed.json["approval_id"]))).toMatchObject([
      { action: "approval.propose" },
      { action: "approval.approve" },
    ]);
    expect(await auditsOf(attempt_id)).toMatchObject([{ action: "payment_attempt.resolve" }]);
  });

  test("is not approved once the PSP has reported something newer, which would be closed unread", async () => {
    const { id, attempt_id } = await undecided("150.00");
    const { json } = await resolve(attempt_id, failed);
    expect(json["content"]).toMatchObject({ outcome: "failed", amount: null, currency: null });
    await stripeTells(attempt_id, `pi_other_${id}`, { intent: { amount: 1_999, amount_received: 1_999 } });
    await until("a dead letter waits", async () => (await lettersAbout(id)).length > 0);
    const refused = await approve(json, other_key);
    expectProblem(refused, 409, "state_conflict");
    expect(refused.text).toContain("is newer than the proposal");
    expect(await lettersAbout(id)).toHaveLength(1);

    await stack.call("POST", `/approvals/${String(json["approval_id"])}/reject`, { note: "Overtaken." });
    const [letter] = await lettersAbout(id);
    const informed = await resolve(attempt_id, {
      ...failed,
      note: "The 19.99 were refunded.",
      dead_letter_ids: [letter?.dead_letter_id],
    });
    expect(informed.json["content"]).toMatchObject({ dead_letter_ids: letter?.dead_letter_id });
    expect((await approve(informed.json, other_key)).status).toBe(200);
    expect(await lettersAbout(id)).toEqual([]);
  });

  test("is not needed by an amount that is exactly the limit", async () => {
    const { id, attempt_id } = await undecided("100.00");
    expect((await resolve(attempt_id, seen({ amount: "100.00" }))).json["object"]).toBe("payment_attempt");
    await orderIn(stack, id, "SUCCESS");
  });

  test("that is rejected changes nothing, and another one can be proposed", async () => {
    const { attempt_id } = await undecided("200.00");
    const { json } = await resolve(attempt_id, failed);
    const rejected = await stack.call("POST", `/approvals/${String(json["approval_id"])}/reject`, {
      note: "Not true.",
    });
    expect(rejected).toMatchObject({ status: 200, json: { state: "rejected", decision_note: "Not true." } });
    expectProblem(await approve(json, other_key), 409, "state_conflict");
    expect((await resolve(attempt_id, seen({ amount: "200.00" }))).json).toMatchObject({
      object: "approval",
      state: "open",
    });
  });

  test("that is approved too late, or of an attempt that was decided meanwhile, has no effect", async () => {
    const { attempt_id } = await undecided("200.00");
    const { json } = await resolve(attempt_id, failed);
    await stack.db.asOwner(
      "begin; set local session_replication_role = replica; update approvals set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' where state = 'open' and subject_id = '" +
        attempt_id +
        "'; commit",
    );
    expectProblem(await approve(json, other_key), 409, "state_conflict");
    const again = await resolve(attempt_id, failed);
    expect(again.json["approval_id"]).not.toBe(json["approval_id"]);
    expect((await stack.call("GET", "/approvals?state=expired")).json["data"]).toContainEqual(
      expect.objectContaining({ approval_id: json["approval_id"] }),
    );
    await stack.db.asOwner(
      "begin; set local session_replication_role = replica; update payment_attempts set status = 'canceled' where attempt_id = '" +
        attempt_id +
        "'; commit",
    );
    expectProblem(await approve(again.json, other_key), 409, "state_conflict");
    expect((await stack.call("GET", `/approvals/${String(again.json["approval_id"])}`)).json).toMatchObject({
      state: "open",
    });
  });

  test("approved by two keys at once is carried out once", async () => {
    const { id, attempt_id } = await undecided("150.00");
    const { json } = await resolve(attempt_id, seen({ amount: "150.00" }));
    const replies = await Promise.all([
      approve(json, other_key),
      approve(json, other_key),
      approve(json, other_key),
    ]);
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
    await orderIn(stack, id, "SUCCESS");
    expect(await capturesOf(id)).toHaveLength(1);
  });

  const proposeOnCommandLine = (
    attempt_id: string,
    environment: Record<string, string>,
  ): SpawnSyncReturns<string> =>
    spawnSync(
      process.execPath,
      [
        "src/main.ts",
        "resolve-attempt",
        attempt_id,
        "--outcome",
        "succeeded",
        "--reference",
        "pi_cli",
        "--amount",
        "29.99",
        "--currency",
        "USD",
        "--note",
        "Seen.",
      ],
      { encoding: "utf8", env: { ...process.env, DATABASE_URL: stack.db.service_url, ...environment } },
    );

  test("cannot be proposed on the command line for a time that the service has not reached", async () => {
    const { attempt_id } = await undecided();
    const run = proposeOnCommandLine(attempt_id, { CLOCK_OFFSET_SECONDS: "3153600000" });
    expect(run).toMatchObject({ stdout: "", status: 1 });
    expect(run.stderr).toContain("CLOCK_OFFSET_SECONDS: unset it");
    expect(await stack.db.asOwner("select 1 from approvals where subject_id = $1", [attempt_id])).toEqual([]);
  });

  test("proposed on the command line needs the approval of a key whatever its amount and the limits set there", async () => {
    const { id, attempt_id } = await undecided();
    const run = proposeOnCommandLine(attempt_id, { RESOLUTION_APPROVAL_AMOUNTS: "USD:1000000.00" });
    expect(run.stdout, run.stderr).toMatch(/^appr_\w+ waits until /);
    const [json] = (await stack.call("GET", "/approvals?state=open&kind=attempt_resolution&limit=1")).json[
      "data"
    ] as [Record<string, unknown>];
    expect(json).toMatchObject({
      subject_id: attempt_id,
      proposed_by: expect.stringMatching(/^cli:/) as string,
    });
    expect((await approve(json, other_key)).status).toBe(200);
    await orderIn(stack, id, "SUCCESS");
  });
});

describe("GET /unresolved_orders", () => {
  async function listed(id: string): Promise<Unresolved["possible_actions"]> {
    const data = await unresolvedOrders(stack);
    return data.find(({ payment_order_id }) => payment_order_id === id)?.possible_actions ?? [];
  }
  const actionsOf = async (id: string): Promise<string[]> => (await listed(id)).map(({ action }) => action);

  test("says what can be done about an undecided attempt: wait or resolve, then approve, then wait for its effect", async () => {
    const { id, attempt_id } = await undecided("300.00");
    expect(await actionsOf(id)).toEqual(["wait", "resolve_attempt"]);
    expect(await listed(id)).toContainEqual(
      expect.objectContaining({ path: `/attempts/${attempt_id}/resolve` }),
    );
    const { json } = await resolve(attempt_id, failed);
    expect(await listed(id)).toContainEqual(
      expect.objectContaining({
        action: "approve",
        path: `/approvals/${String(json["approval_id"])}/approve`,
      }),
    );
    await approve(json, other_key);
    expect(await actionsOf(id)).toEqual(["wait"]);
    await stack.db.asOwner("update payment_attempts set resolution_due_at = now() where attempt_id = $1", [
      attempt_id,
    ]);
    await orderIn(stack, id, "FAILED");
    expect(await actionsOf(id)).toEqual([]);
  });

  test("offers no waiting for an amount mismatch, but to refund it", async () => {
    const { id, attempt_id } = await undecided();
    await stripeTells(attempt_id, "pi_less", { intent: { amount: 1, amount_received: 1 } });
    await until("a dead letter waits", async () => (await lettersAbout(id)).length > 0);
    expect(await listed(id)).toMatchObject([
      { action: "resolve_attempt", reason: expect.stringContaining("refund it there") as string },
    ]);
  });
});

test("resolving and approving need a key with the admin right", async () => {
  const { token } = await stack.db.createKey("shop", ["read", "write"]);
  const headers = { authorization: `Bearer ${token}` };
  expectProblem(await resolve("att_any", seen(), headers), 403, "forbidden");
  expectProblem(await stack.call("GET", "/approvals", undefined, headers), 403, "forbidden");
  expectProblem(
    await stack.call("POST", "/approvals/appr_any/approve", { content_hash: "0".repeat(64) }, headers),
    403,
    "forbidden",
  );
});

test("the history of an order that a person resolved is like any other's", async () => {
  const { id, attempt_id } = await undecided();
  await resolve(attempt_id, seen());
  expect(path(await orderIn(stack, id, "SUCCESS"))).toMatch(/^NOT_STARTED EXECUTING UNKNOWN SUCCESS$/);
});
