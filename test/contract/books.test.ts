import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeChecks, verifyAndRecord, verifyBooks } from "../../src/cli/verify.ts";
import { Database, ensureServiceLogin, type Queryable } from "../../src/db/db.ts";
import { setRights } from "../../src/db/migrate.ts";
import { postAll, verifyLedger, type Check } from "../../src/ledger/ledger.ts";
import { verifyPayments } from "../../src/payments/payments.ts";
import { onServer, serverUrl } from "../support/database.ts";
import { account, purse, transfer } from "../support/ledger.ts";
import { until } from "../api/requests.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";
import { cases, wrongAmount } from "./book-faults.ts";
import { forgeries } from "./forged-books.ts";

const main = join(import.meta.dirname, "../../src/main.ts");

/** Books with two paid checkouts (one with two sellers), a declined one, one that is authorised and captured in part, and postings past the payments. */
let stack: TestStack;
let tampering: Database;
beforeAll(async () => {
  stack = await startTestStack({ environment: { COMMISSION_BASIS_POINTS: "250" } });
  const paid = [
    checkoutBody({ checkout_id: "c-1" }, [
      { payment_order_id: "o-1", seller_account: "ann" },
      { payment_order_id: "o-2", seller_account: "bob", amount: "15.50" },
    ]),
    checkoutBody({ checkout_id: "c-2" }, [
      { payment_order_id: "o-3", seller_account: "ann", amount: "500", currency: "JPY" },
    ]),
  ];
  const declined = checkoutBody({ checkout_id: "c-3", credit_card_info: { token: "tok_card_declined" } }, [
    { payment_order_id: "o-4" },
  ]);
  const authorised = checkoutBody({ checkout_id: "c-5", capture_method: "manual" }, [
    { payment_order_id: "o-5", amount: "10.00", currency: "EUR" },
  ]);
  for (const body of [...paid, declined, authorised]) await stack.call("POST", "/payments", body);
  for (const id of ["o-1", "o-2", "o-3"]) await stack.waitForOrder(id, ["SUCCESS"]);
  await stack.waitForOrder("o-4", ["FAILED"]);
  await stack.waitForOrder("o-5", ["AUTHORIZED"]);
  await stack.call("POST", "/payments/o-5/capture", { capture_id: "one", amount: "4.00", is_final: false });
  await until(
    "the part is captured",
    async () => (await stack.call("GET", "/payments/o-5")).json["captured_amount"] === "4.00",
  );
  await stack.stop();
  // A closing in the middle: what was paid is closed, what follows is not.
  await until("the books are closed", async () => {
    // Only the first tick of a second can be closed.
    await stack.db.database.query("select take_tick(true)");
    const [row] = await stack.db.asOwner("select ledger_add_closing() as closing_id");
    return row?.["closing_id"] === "1";
  });
  // An account without a floor that was below 0 for a while.
  const dipping = account("bank:dipping");
  await stack.db.database.transaction((tx) =>
    postAll(
      tx,
      [
        transfer("dip", purse("elsewhere:a"), dipping, 5n),
        transfer("back", dipping, account("elsewhere:b"), 8n),
      ].map((draft) => ({
        ...draft,
        entries: draft.entries.map((entry) => ({
          ...entry,
          account: { ...entry.account, floor_minor: null },
        })),
      })),
    ),
  );
  // A database can be copied only while nobody else is in it.
  await onServer(
    serverUrl(),
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${stack.db.name}'`,
  );
  await onServer(serverUrl(), `create database ${stack.db.name}_wrong template ${stack.db.name}`);
  tampering = new Database({ url: stack.db.url, application_name: "test-tamper", connections_max: 1 });
});
afterAll(async () => {
  await tampering.close();
  await onServer(serverUrl(), `drop database ${stack.db.name}_wrong with (force)`);
  await stack.db.drop();
});

/** Changes the books as a superuser who switches the triggers off. */
async function tamper(tx: Queryable, statements: readonly string[]): Promise<void> {
  await tx.query("set local session_replication_role = replica");
  for (const statement of statements) {
    const rows = await tx.query(statement.startsWith("alter") ? statement : `${statement} returning 1`);
    if (rows.length === 0 && !statement.startsWith("alter")) throw new Error(`changed nothing: ${statement}`);
  }
}
class Undo extends Error {}

/** What is wrong with the books after a change, which is taken back: "check: subject: problem". */
async function faultsAfter(statements: readonly string[]): Promise<string[]> {
  let checks: readonly Check[] = [];
  await tampering
    .transaction(async (tx) => {
      await tamper(tx, statements);
      checks = [...(await verifyLedger(tx)), ...(await verifyPayments(tx))];
      throw new Undo();
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undo)) throw error;
    });
  return checks.flatMap((one) =>
    one.faults.map((fault) => `${one.statement}: ${fault.subject}: ${fault.problem}`),
  );
}

test("right books pass every check, and the counts say on how much", async () => {
  const checks = await verifyBooks(stack.db.database);
  expect(checks.flatMap((one) => one.faults)).toEqual([]);
  const counts = Object.fromEntries(checks.map((one) => [one.statement, one.checked_count]));
  expect(counts).toMatchObject({
    "every transaction sums to zero in each currency": 7n,
    "every running balance is the sum of the entries before it": 20n,
    "every paid order has a ledger transaction with its amount and currency": 4n,
    "every capture in the ledger belongs to a paid order": 4n,
    "the ledger holds exactly what is left of each authorisation": 1n,
    "a checkout is done exactly when all its orders are": 4n,
  });
  expect(checks.every((one) => one.checked_count > 0n)).toBe(true);
});

test.each([...cases, ...forgeries])("$what is found and named", async ({ statements, found }) => {
  const faults = await faultsAfter(statements);
  for (const pattern of found) expect(faults).toContainEqual(expect.stringMatching(pattern));
});

test("the lines for a person say what was checked and what is wrong", () => {
  expect(
    describeChecks([
      { statement: "all is well", checked_count: 3n, faults: [] },
      {
        statement: "nothing is odd",
        checked_count: 2n,
        faults: [{ subject: "account a USD", problem: "is odd" }],
      },
    ]),
  ).toEqual(["✓ all is well (3 checked)", "✗ nothing is odd (2 checked)", "    account a USD: is odd"]);
});

const runVerify = (url: string): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    const environment = { PATH, NODE_COMPILE_CACHE, DATABASE_URL: url };
    execFile(process.execPath, [main, "verify"], { env: environment }, (error, stdout) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, output: stdout }),
    );
  });

test("`pacioli verify` ends with 0 on right books and with 1 on wrong ones, naming account and entry", async () => {
  const wrongUrl = stack.db.url.replace(stack.db.name, `${stack.db.name}_wrong`);
  const wrongBooks = new Database({ url: wrongUrl, application_name: "test-tamper", connections_max: 1 });
  await wrongBooks.transaction((tx) => tamper(tx, [wrongAmount]));
  await wrongBooks.close();
  await setRights(wrongUrl);
  const [right, wrong] = await Promise.all([
    runVerify(stack.db.service_url),
    runVerify(await ensureServiceLogin(wrongUrl)),
  ]);
  expect(right).toEqual({ code: 0, output: expect.stringContaining("The books are correct.") });
  expect(wrong.code).toBe(1);
  expect(wrong.output).toContain("account seller:ann:pending USD, entry 1");
  expect(wrong.output).toMatch(/The books are wrong: \d+ faults\./);
});

test("`verify` starts from the closing that it verified last, unless it is asked for everything", async () => {
  const full = await verifyAndRecord(stack.db.database, { is_full: true });
  const resumed = await verifyAndRecord(stack.db.database, { is_full: false });
  expect(full).toMatchObject({ mode: "full", from_closing_id: 0n, to_closing_id: 1n });
  expect(resumed).toMatchObject({ mode: "incremental", from_closing_id: 1n, to_closing_id: 1n });
  expect([...full.checks, ...resumed.checks].flatMap((check) => check.faults)).toEqual([]);
  const countOf = (run: typeof full): bigint | undefined =>
    run.checks.find((check) => check.statement.startsWith("every transaction sums"))?.checked_count;
  // Hardly more than the two transfers came after the closing.
  const [whole, rest] = [full, resumed].map(countOf);
  expect(whole).toBe(7n);
  // The tick that was closed may be one before the last capture.
  expect([2n, 3n]).toContain(rest);
});
