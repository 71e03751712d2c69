import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { TestClock } from "../../test/support/test-clock.ts";
import { answerOnce, fingerprintOf, type Answer } from "./idempotency.ts";
import { deleteExpiredAnswers, selectAnswers, textOfKey } from "./queries.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const day_seconds = 86_400;
let clock = new TestClock();
beforeEach(() => {
  clock = new TestClock();
});

let runs: string[] = [];

/** A request whose work notes that it ran, and answers with how often any has. */
function ask(
  name: string | null,
  body: unknown = {},
  work: () => Promise<void> = () => Promise.resolve(),
  key_id = "key_1",
): Promise<Answer> {
  const key = name === null ? null : { key_id, idempotency_key: name };
  const request = {
    key,
    fingerprint: fingerprintOf("POST", "/x", body),
    lifetime_hours: 24,
    at: clock.now(),
  };
  return answerOnce(db.database, request, async (tx) => {
    await tx.query("select 1");
    await work();
    runs.push(name ?? "none");
    return { status: 200, body: { runs: runs.length } };
  });
}

test("without a key the work runs every time", async () => {
  runs = [];
  expect([await ask(null), await ask(null)].map((answer) => answer.body)).toEqual([
    '{"runs":1}',
    '{"runs":2}',
  ]);
});

test("with a key it runs once, and the first answer comes again byte for byte", async () => {
  runs = [];
  const first = await ask("once");
  expect(first).toEqual({ status: 200, body: '{"runs":1}', is_replay: false });
  expect(await ask("once")).toEqual({ ...first, is_replay: true });
  expect(runs).toEqual(["once"]);
});

test("the same key of two API keys is two keys, also at the same time: neither sees the other's answer", async () => {
  runs = [];
  const asks = ["key_1", "key_2"].map((key_id) => ask("shared", { key_id }, () => Promise.resolve(), key_id));
  expect((await Promise.all(asks)).map((answer) => answer.is_replay)).toEqual([false, false]);
  expect(runs).toEqual(["shared", "shared"]);
  const again = await Promise.all(
    ["key_1", "key_2"].map((key_id) => ask("shared", { key_id }, () => Promise.resolve(), key_id)),
  );
  expect(again.map((answer) => answer.is_replay)).toEqual([true, true]);
  expect(new Set(again.map((answer) => answer.body))).toHaveLength(2);
});

test("the key with another body is refused", async () => {
  await ask("reused", { a: 1 });
  await expect(ask("reused", { a: 2 })).rejects.toMatchObject({
    code: "idempotency_key_reused",
    status: 422,
    param: "Idempotency-Key",
  });
});

test("work that fails leaves no answer behind, so the same key may try again", async () => {
  runs = [];
  await expect(ask("failing", {}, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await ask("failing")).toMatchObject({ is_replay: false });
  expect(runs).toEqual(["failing"]);
});

test("the same request at the same time runs once: the others wait for its answer", async () => {
  runs = [];
  const answers = await Promise.all(
    Array.from({ length: 6 }, () =>
      ask("together", {}, () => new Promise((resolve) => setTimeout(resolve, 50))),
    ),
  );
  expect(runs).toEqual(["together"]);
  expect(answers.filter((answer) => !answer.is_replay)).toHaveLength(1);
  expect(new Set(answers.map((answer) => answer.body))).toHaveLength(1);
});

test("a request that runs for long lets the next one go with 409 and Retry-After", async () => {
  const held = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const long = ask("long", {}, () => (started.resolve(), held.promise));
  await started.promise;
  await expect(ask("long")).rejects.toMatchObject({
    code: "idempotency_key_in_use",
    status: 409,
    retry_after_seconds: 1,
  });
  held.resolve();
  expect(await long).toMatchObject({ is_replay: false });
  expect(await ask("long")).toMatchObject({ is_replay: true });
});

test("other keys do not wait", async () => {
  const held = Promise.withResolvers<void>();
  const long = ask("held", {}, () => held.promise);
  expect(await ask("free")).toMatchObject({ is_replay: false });
  held.resolve();
  await long;
});

test("an answer that has expired is forgotten: the key works anew, also for another request", async () => {
  await ask("old", { a: 1 });
  clock.advance(day_seconds - 1);
  expect(await ask("old", { a: 1 })).toMatchObject({ is_replay: true });
  clock.advance(1);
  expect(await ask("old", { a: 2 })).toMatchObject({ is_replay: false });
  expect(await ask("old", { a: 2 })).toMatchObject({ is_replay: true });
});

test("answers are found along the primary key, however many there are", async () => {
  await db.asOwner(
    `insert into idempotency_keys (key_id, idempotency_key, fingerprint, response_status, response_body, expires_at)
     select 'key_1', 'many-' || n, decode(repeat('00', 32), 'hex'), 200, '{}', now() + interval '1 day' from generate_series(1, 20000) n`,
  );
  await db.asOwner("analyze idempotency_keys");
  const found = await selectAnswers(
    db.database,
    [
      { key_id: "key_1", idempotency_key: "many-7" },
      { key_id: "key_2", idempotency_key: "many-8" },
    ],
    clock.now(),
  );
  expect(found.get(textOfKey({ key_id: "key_1", idempotency_key: "many-7" }))).toMatchObject({
    response_body: "{}",
  });
  expect(found.get(textOfKey({ key_id: "key_2", idempotency_key: "many-8" }))).toBeUndefined();
  const names = `{${Array.from({ length: 200 }, (_, index) => `many-${index}`).join(",")}}`;
  const plan = JSON.stringify(
    await db.asOwner(
      `explain select 1 from idempotency_keys
      where idempotency_key = any ('${names}'::text[]) and key_id = any ('{key_1,key_2}'::text[]) and expires_at > now()`,
    ),
  );
  expect(plan).toMatch(/Index (Only )?Scan/);
  expect(plan).not.toContain("Seq Scan");
});

test("cleaning removes what has expired and nothing else", async () => {
  clock.advance(2 * day_seconds);
  await deleteExpiredAnswers(db.database, clock.now());
  await ask("to clean");
  clock.advance(1);
  await ask("to keep");
  clock.advance(day_seconds - 1);
  expect(await deleteExpiredAnswers(db.database, clock.now())).toBe(1);
  expect(
    await db.asService("select idempotency_key from idempotency_keys where idempotency_key like 'to %'"),
  ).toEqual([{ idempotency_key: "to keep" }]);
});
