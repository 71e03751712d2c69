import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

let count = 0;
async function proposed(proposer: string | null = "key_1", subject = `att_${count + 1}`): Promise<string> {
  const id = `appr_${++count}`;
  await db.asService(
    `insert into approvals (approval_id, kind, subject_id, content, content_hash, proposed_by, proposer_key_id, expires_at)
     values ($1, 'attempt_resolution', $2, '{"a":"1"}', sha256('{"a":"1"}'), 'who', $3, now() + interval '1 hour')`,
    [id, subject, proposer],
  );
  return id;
}

const decide = (id: string, state: string, key: string | null): Promise<unknown[]> =>
  db.asService(
    "update approvals set state = $2, decided_by = 'decider', approver_key_id = $3, decided_at = now() where approval_id = $1 returning state",
    [id, state, key],
  );
const planted = (id: string, change: string): Promise<unknown[]> =>
  db.asOwner(`update approvals set ${change} where approval_id = '${id}'`);

describe("a resolution of an attempt", () => {
  async function attempt(id: string, resolved: string): Promise<unknown> {
    await db.asOwner(`begin; set local session_replication_role = replica;
      insert into payment_attempts (attempt_id, checkout_id, attempt_number, psp, amount_minor, currency, status)
      values ('${id}', '${id}', 1, 'stripe', 100, 'USD', 'unknown'); commit`);
    return db.asService(`update payment_attempts set ${resolved} where attempt_id = $1`, [id]);
  }
  const whole = "resolution_note = 'seen', resolved_by = 'key:1', resolution_due_at = now()";

  test("has a note, a person and a time, and a reference unless it failed", async () => {
    const broken = { constraint: "payment_attempts_resolution_check" };
    await expect(attempt("att_a", "resolved_as = 'failed'")).rejects.toMatchObject(broken);
    await expect(attempt("att_b", `resolved_as = 'succeeded', ${whole}`)).rejects.toMatchObject(broken);
    await expect(attempt("att_c", "resolution_reference = 'pi_1'")).rejects.toMatchObject(broken);
    expect(await attempt("att_d", `resolved_as = 'failed', ${whole}`)).toEqual([]);
    expect(
      await attempt("att_e", `resolved_as = 'succeeded', resolution_reference = 'pi_1', ${whole}`),
    ).toEqual([]);
  });

  test("takes a charge of the PSP for one attempt only", async () => {
    await attempt("att_f", `resolved_as = 'succeeded', resolution_reference = 'pi_twice', ${whole}`);
    await expect(
      attempt("att_g", `resolved_as = 'succeeded', resolution_reference = 'pi_twice', ${whole}`),
    ).rejects.toMatchObject({ constraint: "payment_attempts_one_resolution_per_reference" });
  });
});

describe("an approval", () => {
  test("is given by another key than the one that proposed it", async () => {
    const id = await proposed("key_1");
    await expect(decide(id, "approved", "key_1")).rejects.toMatchObject({
      constraint: "approvals_two_keys_check",
    });
    expect(await decide(id, "approved", "key_2")).toEqual([{ state: "approved" }]);
  });

  test("is given by a key, whether another key or the command line proposed it", async () => {
    for (const proposer of [null, "key_1"]) {
      const id = await proposed(proposer);
      const broken = { constraint: "approvals_two_keys_check" };
      await expect(decide(id, "approved", null)).rejects.toMatchObject(broken);
      expect(await decide(id, "approved", "key_2")).toEqual([{ state: "approved" }]);
    }
  });

  test("names an approver only if it was given", async () => {
    const id = await proposed();
    const broken = { constraint: "approvals_two_keys_check" };
    await expect(planted(id, "approver_key_id = 'key_2'")).rejects.toMatchObject(broken);
    for (const state of ["rejected", "expired"]) {
      await expect(decide(id, state, "key_2"), state).rejects.toMatchObject(broken);
    }
  });

  test("has the time of its decision exactly when it is decided", async () => {
    const id = await proposed();
    const broken = { constraint: "approvals_decided_check" };
    await expect(planted(id, "decided_at = now()")).rejects.toMatchObject(broken);
    await expect(planted(id, "state = 'rejected'")).rejects.toMatchObject(broken);
  });

  test("has a known kind and a known state, and ends after it begins", async () => {
    const add = (changes: Record<string, string>): Promise<unknown> => {
      const row = {
        approval_id: "'appr_odd'",
        kind: "'attempt_resolution'",
        subject_id: "'att_odd'",
        content: "'{}'",
        content_hash: "sha256('{}')",
        proposed_by: "'who'",
        expires_at: "now() + interval '1 hour'",
        ...changes,
      };
      return db.asOwner(
        `insert into approvals (${Object.keys(row).join()}) values (${Object.values(row).join()})`,
      );
    };
    const broken = (constraint: string): unknown => expect.objectContaining({ constraint });
    await expect(add({ kind: "'refund'" })).rejects.toEqual(broken("approvals_kind_check"));
    await expect(add({ state: "'done'", decided_at: "now()" })).rejects.toEqual(
      broken("approvals_state_check"),
    );
    await expect(add({ expires_at: "now()" })).rejects.toEqual(broken("approvals_check"));
  });

  test("is not given after its time", async () => {
    const id = await proposed();
    await db.asOwner(`begin; set local session_replication_role = replica;
      update approvals set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' where approval_id = '${id}'; commit`);
    await expect(decide(id, "approved", "key_2")).rejects.toMatchObject({
      constraint: "approvals_in_time_check",
    });
    expect(await decide(id, "expired", null)).toEqual([{ state: "expired" }]);
  });

  test("is decided once, whatever the owner tries", async () => {
    const id = await proposed();
    await decide(id, "rejected", null);
    await expect(decide(id, "approved", "key_2")).rejects.toMatchObject({ code: "PL002" });
    await expect(planted(id, "state = 'open', decided_at = null")).rejects.toMatchObject({ code: "PL002" });
    await expect(db.asOwner("delete from approvals where approval_id = $1", [id])).rejects.toMatchObject({
      code: "PL002",
    });
    await expect(db.asOwner("truncate approvals")).rejects.toMatchObject({ code: "PL002" });
  });

  test("is of what was proposed: neither the content, its subject nor its proposer can be changed", async () => {
    const id = await proposed();
    for (const change of [
      "approval_id = 'appr_other'",
      "kind = 'refund'",
      "content = '{}', content_hash = sha256('{}')",
      "subject_id = 'att_other'",
      "proposed_by = 'someone else'",
      "proposer_key_id = 'key_9'",
      "created_at = now() - interval '1 day'",
      "expires_at = now() + interval '9 days'",
    ])
      await expect(planted(id, change), change).rejects.toMatchObject({ code: "PL002" });
    await expect(
      db.asService("update approvals set content = '{}' where approval_id = $1", [id]),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("has the hash of its content", async () => {
    await expect(
      db.asService(
        `insert into approvals (approval_id, kind, subject_id, content, content_hash, proposed_by, expires_at)
       values ('appr_hash', 'attempt_resolution', 'att_hash', '{"a":"1"}', sha256('{"a":"2"}'), 'who', now() + interval '1 hour')`,
      ),
    ).rejects.toMatchObject({ constraint: "approvals_hash_check" });
  });

  test("is open once for a subject, and cannot be stored as decided", async () => {
    await proposed("key_1", "att_twice");
    await expect(proposed("key_2", "att_twice")).rejects.toMatchObject({ constraint: "approvals_one_open" });
    await expect(
      db.asService(
        `insert into approvals (approval_id, kind, subject_id, content, content_hash, proposed_by, expires_at, state, decided_at, approver_key_id)
       values ('appr_done', 'attempt_resolution', 'att_done', '{}', sha256('{}'), 'who', now() + interval '1 hour', 'approved', now(), 'key_2')`,
      ),
    ).rejects.toMatchObject({ code: "42501" });
  });
});
