import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../test/support/database.ts";
import { AppError, messageOf } from "./errors.ts";
import { createLogger, type Logger } from "./log.ts";
import { summaryOf } from "./logged-error.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.asOwner(`
    create table vault (id int primary key, name text not null unique, amount int check (amount > 0), at timestamptz);
    insert into vault values (1, 'row-value-of-the-first', 1);
    create function vault_refuse() returns trigger language plpgsql as $$
    begin raise exception 'refused %', new.name using detail = new.name, hint = new.name, errcode = 'PL099'; end $$;
    create trigger vault_refuse before insert on vault for each row when (new.id > 100) execute function vault_refuse();
    grant all on vault to ${db.service_role}`);
});
afterAll(() => db.drop());

/** What a logger writes while `work` runs, line by line. */
function logged(work: (log: Logger) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  work(
    createLogger(
      "info",
      new Writable({
        write: (chunk, _encoding, done) => {
          lines.push(String(chunk));
          done();
        },
      }),
    ),
  );
  return lines
    .join("")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const errorOf = (text: string, values: readonly unknown[] = []): Promise<unknown> =>
  db.database.query(text, values).then(
    () => "no error",
    (error: unknown) => error,
  );

const planted = "row-value-4111111111111111";

const failures: readonly (readonly [string, string, string, readonly unknown[]])[] = [
  ["a broken unique key", "23505", "insert into vault values (2, $1, 1), (3, $1, 1)", [planted]],
  ["a broken check", "23514", "insert into vault values (4, $1, -1)", [planted]],
  ["a missing value", "23502", "insert into vault values (null, $1, 1)", [planted]],
  ["a value that is no number", "22P02", "select $1::text::int", [planted]],
  ["a value that is no time", "22007", "select $1::text::timestamptz", [planted]],
  ["a trigger's own message", "PL099", "insert into vault values (101, $1, 1)", [planted]],
  ["a literal in the statement", "22P02", `select '${planted}'::int`, []],
];

describe("an error of PostgreSQL is logged by its code and its names, without a value of a row", () => {
  test.each(failures)("%s (%s)", async (_what, code, text, values) => {
    const error = await errorOf(text, values);
    expect(error).toMatchObject({ code });
    // The test is about something: the driver's error does hold the value.
    expect(JSON.stringify(Object.assign({}, error, { message: String(error) }))).toContain(planted);
    const wrapped = new Error(`work failed: ${messageOf(error)}`, { cause: error });
    const lines = logged((log) => {
      log.error({ err: error }, "with words");
      log.error({ err: error });
      log.error(error);
      log.warn({ failure: error, payment_order_id: "order-1" }, "under another name");
      log.error({ err: wrapped }, summaryOf(wrapped));
      log.error({ err: wrapped });
      log.error({ err: new AppError("unavailable", "later", { cause: error }) });
      log.error({ err: new AggregateError([error, wrapped], "both") });
    });
    expect(lines).toHaveLength(8);
    expect(JSON.stringify(lines)).not.toContain(planted);
    for (const line of lines) expect(JSON.stringify(line)).toContain(code);
    expect(lines[0]).toMatchObject({
      msg: "with words",
      err: { type: "DatabaseError", code, routine: expect.any(String) },
    });
    for (const field of [
      "message",
      "detail",
      "where",
      "hint",
      "internalQuery",
      "parameters",
      "dataType",
      "length",
      "position",
    ]) {
      expect(lines[0]?.["err"]).not.toHaveProperty(field);
    }
    expect(lines[1]?.["msg"]).toMatch(new RegExp(`^PostgreSQL refused with ${code}`));
  });

  test("with the constraint and the table that a person needs to find it, and the place in our code", async () => {
    const error = await errorOf("insert into vault values (2, $1, 1), (3, $1, 1)", [planted]);
    const [line] = logged((log) => log.error({ err: error }));
    expect(line).toMatchObject({
      msg: "PostgreSQL refused with 23505 (vault_name_key of vault)",
      err: {
        code: "23505",
        constraint: "vault_name_key",
        table: "vault",
        schema: "public",
        routine: "_bt_check_unique",
        stack: expect.stringMatching(/^ {4}at /),
      },
    });
  });
});

describe("other errors", () => {
  test("keep their message, code, stack and causes, and none of a library's other fields", () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED"), {
      code: "ECONNREFUSED",
      request: { headers: { authorization: "Bearer sk_live_1" } },
    });
    const error = Object.assign(new TypeError("the call failed", { cause }), {
      raw: { card: planted },
      statusCode: 500,
    });
    const [line] = logged((log) => log.error({ err: error }));
    expect(line).toMatchObject({
      msg: "the call failed",
      err: {
        type: "TypeError",
        message: "the call failed",
        stack: expect.stringContaining("log.test.ts"),
        cause: { code: "ECONNREFUSED", message: "connect ECONNREFUSED" },
      },
    });
    expect(JSON.stringify(line)).not.toMatch(/sk_live_1|4111/);
  });

  test("that cause each other in a ring are cut off", () => {
    const error = new Error("one");
    error.cause = new Error("two", { cause: error });
    const [line] = logged((log) => log.error({ err: error }));
    expect(JSON.stringify(line).length).toBeLessThan(20_000);
  });

  test("that are no errors are logged by their type only", () => {
    const [line] = logged((log) => log.error({ err: new AggregateError([planted], "several") }));
    expect(JSON.stringify(line)).not.toContain(planted);
  });
});

test("fields that hold secrets are written without their value, at the top and one level below", () => {
  const secret = "value-that-must-not-appear";
  const names = ["authorization", "api_key", "secret", "token", "credit_card_info", "password", "psp_token"];
  const lines = logged((log) => {
    for (const name of names) log.info({ [name]: secret, below: { [name]: secret } }, "with a secret");
    log.info(
      { headers: { authorization: secret }, req: { headers: { authorization: secret } } },
      "with headers",
    );
  });
  expect(lines).toHaveLength(names.length + 1);
  expect(JSON.stringify(lines)).not.toContain(secret);
  for (const [index, name] of names.entries()) {
    expect(lines[index]).toMatchObject({ [name]: "[redacted]", below: { [name]: "[redacted]" } });
  }
});

test("an outage that fails a thousand calls in the same way is written twenty times, and other errors beside it", () => {
  const lines = logged((log) => {
    for (let call = 0; call < 1_000; call++)
      log.error({ err: new Error("connect ECONNREFUSED"), call }, "execution failed");
    log.error({ err: new Error("connect ECONNREFUSED") }, "a job could not be given back");
    for (let call = 0; call < 100; call++) log.info("a payment");
  });
  expect(lines.filter(({ msg }) => msg === "execution failed")).toHaveLength(20);
  expect(lines.filter(({ msg }) => msg === "a job could not be given back")).toHaveLength(1);
  expect(lines.filter(({ msg }) => msg === "a payment")).toHaveLength(100);
});

test("another error under the same words is another kind: a thousand of one do not hide it", () => {
  const lines = logged((log) => {
    for (let call = 0; call < 1_000; call++)
      log.error({ err: new Error("connect ECONNREFUSED") }, "execution failed");
    log.error({ err: new Error("division by zero") }, "execution failed");
  });
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toMatchObject({ err: { message: "division by zero" } });
});

test("how many lines were left out is written once their ten seconds are over", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const lines = logged((log) => {
    for (let call = 0; call < 1_000; call++)
      log.error({ err: new Error("connect ECONNREFUSED") }, "execution failed");
    vi.advanceTimersByTime(30_000);
  });
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toMatchObject({
    level: 30,
    kind: "execution failed connect ECONNREFUSED",
    left_out: 980,
  });
});
