import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unresolvedOrders, type Unresolved } from "../support/answers.ts";
import { expectProblem, orderIn, path, until } from "./requests.ts";
import { failed, openResolutionDesk, seen, type ResolutionDesk } from "./resolutions.ts";

let desk: ResolutionDesk;
beforeAll(async () => {
  desk = await openResolutionDesk();
});
afterAll(() => desk.stack.stopAll());

describe("a resolution above the limit", () => {
  test("waits for the approval of another key, and takes effect with it", async () => {
    const { id, attempt_id } = await desk.undecided("100.01");
    const said = seen({ amount: "100.01" });
    const proposed = await desk.resolve(attempt_id, said);
    expect(proposed, proposed.text).toMatchObject({
      status: 202,
      json: { object: "approval", kind: "attempt_resolution", subject_id: attempt_id, state: "open" },
    });
    expect(proposed.json["content"]).toEqual({ ...said, dead_letter_ids: null });
    expect((await desk.stack.call("GET", "/approvals?state=open&limit=100")).json["data"]).toContainEqual(
      proposed.json,
    );
    expect((await desk.resolve(attempt_id, said)).json["approval_id"]).toBe(proposed.json["approval_id"]);
    expectProblem(await desk.resolve(attempt_id, seen({ amount: "100.01" })), 409, "state_conflict");
    expectProblem(await desk.approve(proposed.json, "sk_dev"), 403, "approval_needs_another_key");
    expectProblem(
      await desk.approve({ ...proposed.json, content_hash: "0".repeat(64) }, desk.other_key),
      409,
      "state_conflict",
      "content_hash",
    );
    expect(await orderIn(desk.stack, id, "UNKNOWN")).toMatchObject({ attempts: [{ resolution: null }] });
    const approved = await desk.approve(proposed.json, desk.other_key);
    expect(approved, approved.text).toMatchObject({ status: 200, json: { state: "approved" } });
    expect(await orderIn(desk.stack, id, "SUCCESS")).toMatchObject({
      captured_amount: "100.01",
      psp_token: said["psp_reference"],
    });
    expectProblem(await desk.approve(proposed.json, desk.other_key), 409, "state_conflict");
    expect(await desk.auditsOf(String(proposed.json["approval_id"]))).toMatchObject([
      { action: "approval.propose" },
      { action: "approval.approve" },
    ]);
    expect(await desk.auditsOf(attempt_id)).toMatchObject([{ action: "payment_attempt.resolve" }]);
  });

  test("is not approved once the PSP has reported something newer, which would be closed unread", async () => {
    const { id, attempt_id } = await desk.undecided("150.00");
    const { json } = await desk.resolve(attempt_id, failed);
    expect(json["content"]).toMatchObject({ outcome: "failed", amount: null, currency: null });
    await desk.stripeTells(attempt_id, `pi_other_${id}`, {
      intent: { amount: 1_999, amount_received: 1_999 },
    });
    await until("a dead letter waits", async () => (await desk.lettersAbout(id)).length > 0);
    const refused = await desk.approve(json, desk.other_key);
    expectProblem(refused, 409, "state_conflict");
    expect(refused.text).toContain("is newer than the proposal");
    expect(await desk.lettersAbout(id)).toHaveLength(1);

    await desk.stack.call("POST", `/approvals/${String(json["approval_id"])}/reject`, { note: "Overtaken." });
    const [letter] = await desk.lettersAbout(id);
    const informed = await desk.resolve(attempt_id, {
      ...failed,
      note: "The 19.99 were refunded.",
      dead_letter_ids: [letter?.dead_letter_id],
    });
    expect(informed.json["content"]).toMatchObject({ dead_letter_ids: letter?.dead_letter_id });
    expect((await desk.approve(informed.json, desk.other_key)).status).toBe(200);
    expect(await desk.lettersAbout(id)).toEqual([]);
  });

  test("is not needed by an amount that is exactly the limit", async () => {
    const { id, attempt_id } = await desk.undecided("100.00");
    expect((await desk.resolve(attempt_id, seen({ amount: "100.00" }))).json["object"]).toBe(
      "payment_attempt",
    );
    await orderIn(desk.stack, id, "SUCCESS");
  });

  test("that is rejected changes nothing, and another one can be proposed", async () => {
    const { attempt_id } = await desk.undecided("200.00");
    const { json } = await desk.resolve(attempt_id, failed);
    const rejected = await desk.stack.call("POST", `/approvals/${String(json["approval_id"])}/reject`, {
      note: "Not true.",
    });
    expect(rejected).toMatchObject({ status: 200, json: { state: "rejected", decision_note: "Not true." } });
    expectProblem(await desk.approve(json, desk.other_key), 409, "state_conflict");
    expect((await desk.resolve(attempt_id, seen({ amount: "200.00" }))).json).toMatchObject({
      object: "approval",
      state: "open",
    });
  });

  test("that is approved too late, or of an attempt that was decided meanwhile, has no effect", async () => {
    const { attempt_id } = await desk.undecided("200.00");
    const { json } = await desk.resolve(attempt_id, failed);
    await desk.stack.db.asOwner(
      "begin; set local session_replication_role = replica; update approvals set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' where state = 'open' and subject_id = '" +
        attempt_id +
        "'; commit",
    );
    expectProblem(await desk.approve(json, desk.other_key), 409, "state_conflict");
    const again = await desk.resolve(attempt_id, failed);
    expect(again.json["approval_id"]).not.toBe(json["approval_id"]);
    expect((await desk.stack.call("GET", "/approvals?state=expired")).json["data"]).toContainEqual(
      expect.objectContaining({ approval_id: json["approval_id"] }),
    );
    await desk.stack.db.asOwner(
      "begin; set local session_replication_role = replica; update payment_attempts set status = 'canceled' where attempt_id = '" +
        attempt_id +
        "'; commit",
    );
    expectProblem(await desk.approve(again.json, desk.other_key), 409, "state_conflict");
    expect(
      (await desk.stack.call("GET", `/approvals/${String(again.json["approval_id"])}`)).json,
    ).toMatchObject({ state: "open" });
  });

  test("approved by two keys at once is carried out once", async () => {
    const { id, attempt_id } = await desk.undecided("150.00");
    const { json } = await desk.resolve(attempt_id, seen({ amount: "150.00" }));
    const replies = await Promise.all([
      desk.approve(json, desk.other_key),
      desk.approve(json, desk.other_key),
      desk.approve(json, desk.other_key),
    ]);
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
    await orderIn(desk.stack, id, "SUCCESS");
    expect(await desk.capturesOf(id)).toHaveLength(1);
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
      { encoding: "utf8", env: { ...process.env, DATABASE_URL: desk.stack.db.service_url, ...environment } },
    );

  test("cannot be proposed on the command line for a time that the service has not reached", async () => {
    const { attempt_id } = await desk.undecided();
    const run = proposeOnCommandLine(attempt_id, { CLOCK_OFFSET_SECONDS: "3153600000" });
    expect(run).toMatchObject({ stdout: "", status: 1 });
    expect(run.stderr).toContain("CLOCK_OFFSET_SECONDS: unset it");
    const approvals = await desk.stack.db.asOwner("select 1 from approvals where subject_id = $1", [
      attempt_id,
    ]);
    expect(approvals).toEqual([]);
  });

  test("proposed on the command line needs the approval of a key whatever its amount and the limits set there", async () => {
    const { id, attempt_id } = await desk.undecided();
    const run = proposeOnCommandLine(attempt_id, { RESOLUTION_APPROVAL_AMOUNTS: "USD:1000000.00" });
    expect(run.stdout, run.stderr).toMatch(/^appr_\w+ waits until /);
    const [json] = (await desk.stack.call("GET", "/approvals?state=open&kind=attempt_resolution&limit=1"))
      .json["data"] as [Record<string, unknown>];
    expect(json).toMatchObject({
      subject_id: attempt_id,
      proposed_by: expect.stringMatching(/^cli:/) as string,
    });
    expect((await desk.approve(json, desk.other_key)).status).toBe(200);
    await orderIn(desk.stack, id, "SUCCESS");
  });
});

describe("GET /unresolved_orders", () => {
  async function listed(id: string): Promise<Unresolved["possible_actions"]> {
    const data = await unresolvedOrders(desk.stack);
    return data.find(({ payment_order_id }) => payment_order_id === id)?.possible_actions ?? [];
  }
  const actionsOf = async (id: string): Promise<string[]> => (await listed(id)).map(({ action }) => action);

  test("says what can be done about an undecided attempt: wait or resolve, then approve, then wait for its effect", async () => {
    const { id, attempt_id } = await desk.undecided("300.00");
    expect(await actionsOf(id)).toEqual(["wait", "resolve_attempt"]);
    expect(await listed(id)).toContainEqual(
      expect.objectContaining({ path: `/attempts/${attempt_id}/resolve` }),
    );
    const { json } = await desk.resolve(attempt_id, failed);
    expect(await listed(id)).toContainEqual(
      expect.objectContaining({
        action: "approve",
        path: `/approvals/${String(json["approval_id"])}/approve`,
      }),
    );
    await desk.approve(json, desk.other_key);
    expect(await actionsOf(id)).toEqual(["wait"]);
    await desk.stack.db.asOwner(
      "update payment_attempts set resolution_due_at = now() where attempt_id = $1",
      [attempt_id],
    );
    await orderIn(desk.stack, id, "FAILED");
    expect(await actionsOf(id)).toEqual([]);
  });

  test("offers no waiting for an amount mismatch, but to refund it", async () => {
    const { id, attempt_id } = await desk.undecided();
    await desk.stripeTells(attempt_id, "pi_less", { intent: { amount: 1, amount_received: 1 } });
    await until("a dead letter waits", async () => (await desk.lettersAbout(id)).length > 0);
    expect(await listed(id)).toMatchObject([
      { action: "resolve_attempt", reason: expect.stringContaining("refund it there") as string },
    ]);
  });
});

test("resolving and approving need a key with the admin right", async () => {
  const { token } = await desk.stack.db.createKey("shop", ["read", "write"]);
  const headers = { authorization: `Bearer ${token}` };
  expectProblem(await desk.resolve("att_any", seen(), headers), 403, "forbidden");
  expectProblem(await desk.stack.call("GET", "/approvals", undefined, headers), 403, "forbidden");
  expectProblem(
    await desk.stack.call("POST", "/approvals/appr_any/approve", { content_hash: "0".repeat(64) }, headers),
    403,
    "forbidden",
  );
});

test("the history of an order that a person resolved is like any other's", async () => {
  const { id, attempt_id } = await desk.undecided();
  await desk.resolve(attempt_id, seen());
  expect(path(await orderIn(desk.stack, id, "SUCCESS"))).toMatch(/^NOT_STARTED EXECUTING UNKNOWN SUCCESS$/);
});
