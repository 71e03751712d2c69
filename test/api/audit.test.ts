import { spawn } from "node:child_process";
import { once } from "node:events";
import { userInfo } from "node:os";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, until } from "./requests.ts";

type Entry = Readonly<Record<string, unknown>>;

let stack: TestStack;
let operator: { actor: string; headers: { authorization: string } };
beforeAll(async () => {
  stack = await startTestStack({
    environment: { RISK_REVIEW_FROM: "USD:400.00", MAX_RETRY_ATTEMPTS: "1", IDLE_POLL_MS: "50" },
  });
  operator = await makeKey("operator");
});
afterAll(() => stack.stopAll());

async function makeKey(name: string): Promise<typeof operator> {
  const { key_id, token } = await stack.db.createKey(name, ["read", "write", "admin"]);
  return { actor: `key:${key_id}`, headers: { authorization: `Bearer ${token}` } };
}

const post = (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
  stack.call("POST", path, body, { ...operator.headers, ...headers });

async function auditOf(query: Record<string, string>): Promise<Entry[]> {
  const reply = await stack.call(
    "GET",
    `/audit_log?${new URLSearchParams(query).toString()}`,
    undefined,
    operator.headers,
  );
  expect(reply, reply.text).toMatchObject({ status: 200 });
  return reply.json["data"] as Entry[];
}

const requestId = (reply: Reply): string => reply.headers.get("request-id") ?? "none";

describe("every change that a key makes to what exists is audited in its own transaction", () => {
  test("a retry, with what the order was before and without the card's token", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, card("tok_card_declined"));
    await orderIn(stack, id, "FAILED");
    const reply = await post(`/payments/${id}/retry`, { card_token: "tok_visa_4242" });
    expect(reply.status).toBe(200);
    const entries = await auditOf({ subject_type: "payment_order", subject_id: id });
    expect(entries).toEqual([
      {
        object: "audit_log_entry",
        audit_id: expect.stringMatching(/^\d+$/) as string,
        occurred_at: expect.any(String) as string,
        actor: operator.actor,
        action: "payment_order.retry",
        subject_type: "payment_order",
        subject_id: id,
        before: { status: "FAILED", retry_count: 0 },
        after: { status: "EXECUTING", retry_count: 1, has_new_card: true },
        reason: null,
        request_id: requestId(reply),
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain("tok_visa");
  });

  test("a capture, once however often it is sent, and the cancellation of the rest", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "80.00" }]);
    await orderIn(stack, id, "AUTHORIZED");
    const capture = { capture_id: "c-1", amount: "30.00", is_final: false };
    for (let count = 0; count < 3; count += 1)
      expect((await post(`/payments/${id}/capture`, capture)).status).toBe(202);
    await until(
      "the capture is made",
      async () =>
        (await stack.db.asOwner("select 1 from operations where capture_id = 'c-1' and status = 'succeeded'"))
          .length === 1,
    );
    expect((await post(`/payments/${id}/cancel`)).status).toBe(202);
    expect(await auditOf({ subject_type: "payment_order", subject_id: id })).toMatchObject([
      {
        action: "payment_order.cancel",
        before: { status: "AUTHORIZED" },
        after: { status: "AUTHORIZED", is_under_way: true },
      },
      {
        action: "payment_order.capture",
        before: null,
        after: { capture_id: "c-1", amount_minor: "3000", currency: "USD", is_final: false },
      },
    ]);
  });

  test.for([
    ["approve", "EXECUTING"],
    ["reject", "CANCELED"],
  ] as const)("the review of a checkout: %s", async ([decision, status]) => {
    const { checkout_id } = await acceptCheckout(stack, {}, [{ amount: "400.00" }, {}]);
    const reply = await post(`/checkouts/${checkout_id}/review`, { decision });
    expect(reply.status).toBe(200);
    expect(await auditOf({ subject_type: "checkout", subject_id: checkout_id })).toMatchObject([
      {
        actor: operator.actor,
        action: `checkout.${decision}`,
        before: { statuses: { PENDING: 2 } },
        after: { statuses: { [status]: 2 } },
        request_id: requestId(reply),
      },
    ]);
  });

  test("the cancellation of a checkout", async () => {
    const { checkout_id } = await acceptCheckout(stack, {}, [{ amount: "400.00" }, {}]);
    expect((await post(`/checkouts/${checkout_id}/cancel`)).status).toBe(200);
    expect(await auditOf({ subject_type: "checkout", subject_id: checkout_id })).toMatchObject([
      {
        action: "checkout.cancel",
        before: { statuses: { PENDING: 2 } },
        after: { statuses: { CANCELED: 2 }, is_under_way: false },
      },
    ]);
  });

  test("a block and its removal, with who and why; a repeated block changes nothing and is not audited", async () => {
    const block = { kind: "buyer_email", value: "Fraud@Example.com" };
    for (const reason of ["chargebacks", "again"])
      expect((await post("/risk_blocks", { ...block, reason })).status).toBe(200);
    const { json: blocks } = await stack.call("GET", "/risk_blocks");
    expect(blocks["data"]).toMatchObject([
      { value: "fraud@example.com", reason: "chargebacks", created_by: operator.actor },
    ]);
    expect((await post("/risk_blocks/remove", block)).status).toBe(200);
    const value = "fraud@example.com";
    expect(await auditOf({ subject_type: "risk_block", subject_id: `buyer_email:${value}` })).toMatchObject([
      {
        actor: operator.actor,
        action: "risk_block.remove",
        before: { value, reason: "chargebacks", created_by: operator.actor },
        after: null,
        reason: null,
      },
      {
        actor: operator.actor,
        action: "risk_block.add",
        before: null,
        after: { kind: "buyer_email", value },
        reason: "chargebacks",
      },
    ]);
  });

  test("a refused change leaves no trace, and a replayed one no second", async () => {
    const {
      checkout_id,
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ amount: "400.00" }]);
    expectProblem(await post(`/payments/${id}/retry`), 409, "state_conflict");
    for (let count = 0; count < 2; count += 1) {
      expect(
        (await post(`/payments/${id}/cancel`, undefined, { "idempotency-key": `cancel-${checkout_id}` }))
          .status,
      ).toBe(200);
    }
    expect(await auditOf({ subject_type: "payment_order", subject_id: id })).toMatchObject([
      { action: "payment_order.cancel" },
    ]);
  });

  test("two keys of one name are told apart", async () => {
    const twin = await makeKey("operator");
    const block = { kind: "seller_account", value: "twin_seller", reason: "test" };
    await stack.call("POST", "/risk_blocks", block, twin.headers);
    expect(twin.actor).not.toBe(operator.actor);
    expect(await auditOf({ actor: twin.actor })).toMatchObject([
      { actor: twin.actor, action: "risk_block.add" },
    ]);
  });
});

describe("the command line is audited too", () => {
  async function cli(...args: string[]): Promise<string> {
    const child = spawn(process.execPath, ["src/main.ts", ...args], {
      env: { ...process.env, DATABASE_URL: stack.db.service_url },
    });
    const [output, errors] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      child.exitCode ?? once(child, "exit"),
    ]);
    return output + errors;
  }

  async function deadLetter(id: string): Promise<string> {
    await stack.db.asOwner(
      `insert into dead_letters (dead_letter_id, queue, subject_id, payload, reason, attempt_count)
       values ($1, 'webhook_apply', $1, '{"message_ids": []}', 'not known here', 1)`,
      [id],
    );
    return id;
  }

  test("with the operating system's user, or the name that --as gives", async () => {
    const discarded = await deadLetter("dead_1");
    expect(await cli("dead-letters", "discard", discarded, "--note", "paid in cash")).toContain(
      "is discarded",
    );
    expect(await auditOf({ subject_type: "dead_letter", subject_id: discarded })).toMatchObject([
      {
        actor: `cli:${userInfo().username}`,
        action: "dead_letter.discard",
        before: { state: "waiting" },
        after: { state: "discarded" },
        reason: "paid in cash",
        request_id: null,
      },
    ]);
    const redriven = await deadLetter("dead_2");
    expect(await cli("dead-letters", "redrive", redriven, "--as", "anna@example.com")).toContain(
      "is queued to be tried again",
    );
    expect(await auditOf({ subject_type: "dead_letter", subject_id: redriven })).toMatchObject([
      { actor: "cli:anna@example.com", action: "dead_letter.redrive", reason: null },
    ]);
  });

  test("a name that is none is refused before anything happens", async () => {
    expect(await cli("dead-letters", "discard", "dead_x", "--note", "x", "--as", "key:key_1")).toContain(
      '--as must be up to 100 letters, digits and . _ @ -, but is "key:key_1"',
    );
  });
});

describe("GET /audit_log", () => {
  test("walks every entry once, newest first, page by page", async () => {
    const all = await auditOf({ limit: "100" });
    expect(all.length).toBeGreaterThan(5);
    const walked: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const reply: Reply = await stack.call(
        "GET",
        `/audit_log?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`,
        undefined,
        operator.headers,
      );
      walked.push(...(reply.json["data"] as Entry[]));
      cursor = reply.json["next_cursor"] as string | null;
    }
    expect(walked).toEqual(all);
    expect(all.map((entry) => String(entry["occurred_at"]))).toEqual(
      all
        .map((entry) => String(entry["occurred_at"]))
        .toSorted()
        .toReversed(),
    );
  });

  test("filters by actor, action and time", async () => {
    const added = await auditOf({ action: "risk_block.add" });
    expect(added.length).toBeGreaterThanOrEqual(2);
    expect(new Set(added.map((entry) => entry["action"]))).toEqual(new Set(["risk_block.add"]));
    const [newest] = await auditOf({ limit: "1" });
    const time = String(newest?.["occurred_at"]);
    expect(await auditOf({ "occurred_at[gte]": time })).toEqual([newest]);
    expect(await auditOf({ "occurred_at[lt]": time, limit: "100" })).toHaveLength(
      (await auditOf({ limit: "100" })).length - 1,
    );
    expect(await auditOf({ actor: operator.actor, action: "checkout.cancel" })).toMatchObject([
      { action: "checkout.cancel" },
    ]);
  });

  test("half a subject is refused, and names what is missing", async () => {
    for (const [given, missing] of [
      ["subject_type", "subject_id"],
      ["subject_id", "subject_type"],
    ] as const) {
      expectProblem(
        await stack.call("GET", `/audit_log?${given}=x`, undefined, operator.headers),
        400,
        "invalid_request",
        missing,
      );
    }
  });
});
