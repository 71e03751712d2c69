import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, sentLongAgo, until } from "./requests.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

const secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
let other_key: string;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: "3",
      PSP_BREAKER_FAILURES: "1000",
      RESOLUTION_APPROVAL_AMOUNTS: "USD:100.00",
    },
  });
  other_key = (await stack.db.createKey("second person", ["read", "write", "admin"])).token;
});
afterAll(() => stack.stopAll());

type Undecided = { readonly id: string; readonly attempt_id: string };
async function undecided(amount: string): Promise<Undecided> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_fault_timeout_before_charge"), [{ amount }]);
  const { attempts } = await orderIn(stack, id, "UNKNOWN");
  return { id, attempt_id: attempts[0]?.attempt_id ?? "" };
}

/** Stripe tells of a charge of 50.00, which is another amount than the order's; gives the letter about it. */
async function chargedFifty({ id, attempt_id }: Undecided): Promise<string> {
  const event = stripeEvent(
    { attempt_id, payment_order_id: id, amount: 5_000 },
    { intent: { id: `pi_${randomBytes(8).toString("hex")}` } },
  );
  await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, secret) });
  await until("a discrepancy waits", async () => (await discrepancies(id)).length > 0);
  return (await discrepancies(id))[0] ?? "";
}

const discrepancies = async (id: string): Promise<string[]> =>
  (
    await stack.db.asOwner(
      "select dead_letter_id from dead_letters where subject_id = $1 and kind = 'discrepancy' and state = 'waiting'",
      [id],
    )
  ).map((row) => String(row["dead_letter_id"]));

const addLetters = (
  { id, attempt_id }: Undecided,
  kind: "work" | "discrepancy",
  count: number,
): Promise<unknown> =>
  stack.db.asOwner(
    `insert into dead_letters (dead_letter_id, queue, subject_id, kind, payload, reason, attempt_count)
     select 'dead_' || right(md5($1 || $2 || $3 || n), 26), 'payment_execute', $1, $3,
            jsonb_build_object('attempt_id', $2::text), 'The PSP reports another payment (pi_' || n || ')', 1
       from generate_series(1, $4) n`,
    [id, attempt_id, kind, count],
  );

const resolve = (attempt_id: string, changes: Record<string, unknown> = {}): Promise<Reply> =>
  stack.call("POST", `/attempts/${attempt_id}/resolve`, {
    outcome: "failed",
    note: "Nothing there.",
    ...changes,
  });
const approve = ({ json }: Reply): Promise<Reply> =>
  stack.call(
    "POST",
    `/approvals/${String(json["approval_id"])}/approve`,
    { content_hash: json["content_hash"] },
    { authorization: `Bearer ${other_key}` },
  );

function expectUnread(reply: Reply, letter: string): void {
  expectProblem(reply, 409, "state_conflict", "dead_letter_ids");
  expect(reply.json["detail"]).toContain(letter);
}

test("a report that came after a person looked at the PSP is not closed by their resolution, and nothing is charged again", async () => {
  const attempt = await undecided("29.99");
  const letter = await chargedFifty(attempt);
  expectUnread(await resolve(attempt.attempt_id), letter);
  expectUnread(await resolve(attempt.attempt_id, { dead_letter_ids: ["dead_another"] }), letter);
  expect(await discrepancies(attempt.id)).toEqual([letter]);
  expect(await orderIn(stack, attempt.id, "UNKNOWN")).toMatchObject({ attempts: [{ resolution: null }] });

  await sentLongAgo(stack, attempt.attempt_id);
  const informed = { dead_letter_ids: [letter, "dead_that_is_gone"], note: "The 50.00 were refunded." };
  expect(await resolve(attempt.attempt_id, informed)).toMatchObject({ status: 202 });
  expect(await discrepancies(attempt.id)).toEqual([]);
  expect(await resolve(attempt.attempt_id, informed)).toMatchObject({ status: 202 });
  await orderIn(stack, attempt.id, "FAILED");
});

test("work that was given up needs no reading, nor does a discrepancy about another attempt", async () => {
  const attempt = await undecided("29.99");
  await addLetters(attempt, "work", 1);
  await addLetters({ id: attempt.id, attempt_id: "att_other" }, "discrepancy", 1);
  expect(await resolve(attempt.attempt_id)).toMatchObject({ status: 202 });
  const waiting = await stack.db.asOwner(
    "select kind, payload from dead_letters where subject_id = $1 and state = 'waiting'",
    [attempt.id],
  );
  expect(waiting).toEqual([{ kind: "discrepancy", payload: { attempt_id: "att_other" } }]);
});

test("a proposal is refused too until the letters are read, and approving it once a newer one waits", async () => {
  const attempt = await undecided("150.00");
  const first = await chargedFifty(attempt);
  expectUnread(await resolve(attempt.attempt_id), first);
  const proposed = await resolve(attempt.attempt_id, { dead_letter_ids: [first] });
  expect(proposed.json).toMatchObject({ object: "approval", content: { dead_letter_ids: first } });
  await addLetters(attempt, "discrepancy", 1);
  const second = (await discrepancies(attempt.id)).find((id) => id !== first) ?? "";
  expectUnread(await approve(proposed), second);
  expectUnread(await resolve(attempt.attempt_id, { dead_letter_ids: [first] }), second);
  const path = `/approvals/${String(proposed.json["approval_id"])}/reject`;
  await stack.call("POST", path, { note: "Overtaken." });
  const again = await resolve(attempt.attempt_id, { dead_letter_ids: [first, second] });
  expect(await approve(again)).toMatchObject({ status: 200 });
  expect(await discrepancies(attempt.id)).toEqual([]);
});

test("with a hundred letters the longest proposal can be stored; with more, some are discarded first", async () => {
  const attempt = await undecided("150.00");
  await addLetters(attempt, "discrepancy", 260);
  const longest = { note: "\u{1f6aa}".repeat(225), psp_reference: "\u{1f6aa}".repeat(127) };
  const waiting = await discrepancies(attempt.id);
  expectProblem(await resolve(attempt.attempt_id), 409, "state_conflict", "dead_letter_ids");
  const named = { ...longest, dead_letter_ids: waiting.slice(0, 100) };
  const refused = await resolve(attempt.attempt_id, named);
  expectProblem(refused, 409, "state_conflict", "dead_letter_ids");
  expect(refused.json["detail"]).toContain("discard");
  expectProblem(await resolve(attempt.attempt_id, { dead_letter_ids: waiting }), 400, "invalid_request");

  for (const letter of waiting.slice(100)) {
    const discarded = await stack.call("POST", `/dead_letters/${letter}/discard`, { note: "Refunded." });
    expect(discarded).toMatchObject({ status: 200 });
  }
  const proposed = await resolve(attempt.attempt_id, named);
  expect(proposed, proposed.text).toMatchObject({ status: 202, json: { object: "approval" } });
  expect(await approve(proposed)).toMatchObject({ status: 200 });
  expect(await discrepancies(attempt.id)).toEqual([]);
});

test("the command line takes the letters that were read", async () => {
  const attempt = await undecided("29.99");
  const letter = await chargedFifty(attempt);
  const run = (...more: string[]): ReturnType<typeof spawnSync> =>
    spawnSync(
      process.execPath,
      [
        "src/main.ts",
        "resolve-attempt",
        attempt.attempt_id,
        "--outcome",
        "failed",
        "--note",
        "None.",
        ...more,
      ],
      { encoding: "utf8", env: { ...process.env, DATABASE_URL: stack.db.service_url } },
    );
  expect(run().stderr).toContain(letter);
  expect(run("--read-letters", letter, "dead_that_is_gone").stdout).toMatch(/^appr_\w+ waits until /);
});
