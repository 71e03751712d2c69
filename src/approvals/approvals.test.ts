import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { TestClock } from "../../test/support/test-clock.ts";
import type { Transaction } from "../db/db.ts";
import {
  approve,
  proposeApproval,
  reject,
  type ApprovalRow,
  type Proposal,
  type Requester,
} from "./approvals.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

let subject_id = "";
let count = 0;
let clock = new TestClock();
beforeEach(() => {
  clock = new TestClock();
  count += 1;
  subject_id = `att_${count}`;
});

const who = (key_id: string | null): Requester => ({
  key_id,
  actor: key_id === null ? "cli:alice" : `key:${key_id}`,
  request_id: null,
});
const propose = async (
  by: Requester,
  changes: Partial<Proposal> = {},
): Promise<{ approval: ApprovalRow; is_new: boolean }> => {
  const proposal = {
    kind: "attempt_resolution",
    subject_id,
    content: { outcome: "failed" },
    reason: "seen",
    ...changes,
  } as const;
  return db.database.transaction((tx) =>
    proposeApproval(tx, proposal, by, { expiry_hours: 1, at: clock.now() }),
  );
};
const hashOf = ({ content_hash }: ApprovalRow): string => content_hash.toString("hex");

/** Approves; gives what was executed. */
async function decide(
  approval: ApprovalRow,
  by: Requester,
  content_hash = hashOf(approval),
): Promise<string[]> {
  const executed: string[] = [];
  await db.database.transaction((tx: Transaction) =>
    approve(
      tx,
      approval.approval_id,
      { note: null, by, at: clock.now(), content_hash },
      async ({ content }) => void executed.push(content),
    ),
  );
  return executed;
}

const auditsOf = ({ approval_id }: ApprovalRow): Promise<unknown[]> =>
  db.asOwner("select action from audit_log where subject_id = $1 order by audit_id", [approval_id]);
const stateOf = async ({ approval_id }: ApprovalRow): Promise<unknown> =>
  (await db.asOwner("select state from approvals where approval_id = $1", [approval_id]))[0]?.["state"];

/** Past the triggers; the owner can. */
const plant = (approval: ApprovalRow, change: string): Promise<unknown> =>
  db.asOwner(
    `begin; set local session_replication_role = replica;
   update approvals set ${change} where approval_id = '${approval.approval_id}'; commit`,
  );

test("an approval by another key executes exactly what was proposed, once, and the audit log has both steps", async () => {
  const { approval } = await propose(who("key_1"));
  expect(await decide(approval, who("key_2"))).toEqual(['{"outcome":"failed"}']);
  await expect(decide(approval, who("key_2"))).rejects.toMatchObject({ code: "state_conflict" });
  expect(await auditsOf(approval)).toEqual([{ action: "approval.propose" }, { action: "approval.approve" }]);
});

test("neither the proposing key nor the command line can approve, whoever proposed", async () => {
  const refused = { code: "approval_needs_another_key" };
  const { approval } = await propose(who("key_1"));
  await expect(decide(approval, who("key_1"))).rejects.toMatchObject(refused);
  await expect(decide(approval, who(null))).rejects.toMatchObject(refused);
  expect(await stateOf(approval)).toBe("open");
});

test("an approver who names another hash than that of the content has read something else and is refused", async () => {
  const { approval } = await propose(who("key_1"));
  await expect(decide(approval, who("key_2"), "0".repeat(64))).rejects.toMatchObject({
    code: "state_conflict",
    param: "content_hash",
  });
  expect(await stateOf(approval)).toBe("open");
});

test("content that was changed past every rule of the database is not executed, whichever hash the approver names", async () => {
  const { approval } = await propose(who("key_1"));
  await db.asOwner("alter table approvals drop constraint approvals_hash_check");
  onTestFinished(async () => {
    await db.asOwner(`alter table approvals add constraint approvals_hash_check
      check (content_hash = sha256(convert_to(content, 'UTF8'))) not valid`);
  });
  await plant(approval, `content = '{"outcome":"succeeded"}'`);
  const [planted] = await db.asOwner(`select encode(sha256('{"outcome":"succeeded"}'), 'hex') as hash`);
  for (const hash of [hashOf(approval), String(planted?.["hash"])]) {
    await expect(decide(approval, who("key_2"), hash)).rejects.toThrow("is not what was proposed");
  }
});

test("when its hours have passed a proposal cannot be approved, and makes room for the next one", async () => {
  const { approval } = await propose(who("key_1"));
  clock.advance(3_600);
  await expect(decide(approval, who("key_2"))).rejects.toMatchObject({
    code: "state_conflict",
    message: expect.stringContaining("expired") as string,
  });
  const next = await propose(who("key_1"));
  expect(next).toMatchObject({ is_new: true });
  expect([await stateOf(approval), await stateOf(next.approval)]).toEqual(["expired", "open"]);
});

test("a new proposal expires no other one: not one in time, nor one of another subject", async () => {
  const { approval: other } = await propose(who("key_1"), { subject_id: `${subject_id}_other` });
  clock.advance(3_600);
  const { approval } = await propose(who("key_1"));
  expect((await propose(who("key_2"))).approval.approval_id).toBe(approval.approval_id);
  expect([await stateOf(other), await stateOf(approval)]).toEqual(["open", "open"]);
});

test("the same proposal again is the open one, another one for the same subject is refused", async () => {
  const { approval } = await propose(who("key_1"));
  expect(await propose(who("key_2"))).toMatchObject({
    is_new: false,
    approval: { approval_id: approval.approval_id, proposer_key_id: "key_1" },
  });
  await expect(propose(who("key_1"), { content: { outcome: "succeeded" } })).rejects.toMatchObject({
    code: "state_conflict",
  });
});

test("a rejection executes nothing, is written to the audit log, and is final", async () => {
  const { approval } = await propose(who("key_1"));
  const rejectIt = (): Promise<ApprovalRow> =>
    db.database.transaction((tx) =>
      reject(tx, approval.approval_id, { note: "no", by: who("key_1"), at: clock.now() }),
    );
  expect(await rejectIt()).toMatchObject({ state: "rejected", approver_key_id: null });
  await expect(rejectIt()).rejects.toMatchObject({ code: "state_conflict" });
  await expect(decide(approval, who("key_2"))).rejects.toMatchObject({ code: "state_conflict" });
  expect(await auditsOf(approval)).toEqual([{ action: "approval.propose" }, { action: "approval.reject" }]);
});

test("a second approval waits for the one under way, finds it decided and executes nothing", async () => {
  const { approval } = await propose(who("key_1"));
  const content_hash = hashOf(approval);
  const waits =
    "select count(*)::int as count from pg_locks l join pg_stat_activity a using (pid) where not l.granted and a.datname = $1";
  let second: Promise<unknown> = Promise.resolve();
  await db.database.transaction((tx) =>
    approve(
      tx,
      approval.approval_id,
      { note: null, by: who("key_2"), at: clock.now(), content_hash },
      async () => {
        second = decide(approval, who("key_3")).catch((error: unknown) => error);
        await expect.poll(() => db.asOwner(waits, [db.name])).toEqual([{ count: 1 }]);
      },
    ),
  );
  expect(await second).toMatchObject({ code: "state_conflict" });
});
