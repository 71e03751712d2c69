import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeChecks, verifyBooks } from "../../src/cli/verify.ts";
import { Database, ensureServiceLogin, type Queryable } from "../../src/db/db.ts";
import { setRights } from "../../src/db/migrate.ts";
import { postAll, verifyLedger, type Check } from "../../src/ledger/ledger.ts";
import { verifyPayments } from "../../src/payments/payments.ts";
import { onServer, serverUrl } from "../support/database.ts";
import { account, purse, transfer } from "../support/ledger.ts";
import { until } from "../api/requests.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";

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

const idOf = (code: string, currency = "USD"): string =>
  `(select account_id from ledger_accounts where code = '${code}' and currency = '${currency}')`;
const transactionOf = (source: string): string =>
  `(select transaction_id from ledger_transactions where source = '${source}')`;
const ann = "seller:ann:pending";
const wrongAmount = `update ledger_entries set amount_minor = amount_minor - 1 where account_id = ${idOf(ann)} and account_version = 1`;

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

type Case = {
  readonly what: string;
  readonly statements: readonly string[];
  readonly found: readonly RegExp[];
};
const cases: readonly Case[] = [
  {
    what: "a changed amount",
    statements: [wrongAmount],
    found: [
      /sums to zero.*transaction \d+ \(order:o-1:captured\): 3 entries in USD sum to -1/,
      /running balance.*account seller:ann:pending USD, entry 1: says balance -2924, its entries sum to -2925/,
      /stored balance.*account seller:ann:pending USD/,
    ],
  },
  {
    what: "a deleted entry",
    statements: [`delete from ledger_entries where account_id = ${idOf(ann)} and account_version = 1`],
    found: [
      /sums to zero.*\(order:o-1:captured\)/,
      /stored balance.*account seller:ann:pending USD: stored balance -2924 at version 1, its 0 entries sum to 0/,
      /sellers. earnings.*seller ann USD/,
    ],
  },
  {
    what: "a changed balance",
    statements: [
      `update ledger_accounts set balance_minor = balance_minor - 100 where account_id = ${idOf(ann)}`,
    ],
    found: [
      /stored balance.*account seller:ann:pending USD: stored balance -3024 at version 1, its 1 entries sum to -2924/,
      /debits equal credits.*currency USD: all balances together come to -100/,
    ],
  },
  {
    what: "a hole in the versions",
    statements: [
      "update ledger_entries set account_version = 9 where account_version = 2 and account_id = " +
        idOf("psp:stripe:clearing"),
    ],
    found: [/running balance.*account psp:stripe:clearing USD, entry 9: version 2 is missing/],
  },
  {
    what: "a transaction that does not balance, with balances that agree with it",
    statements: [
      "insert into ledger_transactions (created_at, source) values (now(), 'one-sided')",
      `insert into ledger_entries select account_id, version + 1, ${transactionOf("one-sided")}, -50, balance_minor - 50 from ledger_accounts where account_id = ${idOf(ann)}`,
      `update ledger_accounts set version = version + 1, balance_minor = balance_minor - 50 where account_id = ${idOf(ann)}`,
    ],
    found: [/sums to zero.*\(one-sided\): 1 entries in USD sum to -50/, /debits equal credits.*currency USD/],
  },
  {
    what: "a transaction without entries",
    statements: ["insert into ledger_transactions (created_at, source) values (now(), 'empty')"],
    found: [/sums to zero.*\(empty\): has no entries/],
  },
  {
    what: "an entry whose transaction is gone",
    statements: [`delete from ledger_transactions where source = 'dip'`],
    found: [/has its account and its transaction.*entry \d+\/1: its transaction \d+ does not exist/],
  },
  {
    what: "an entry whose account is gone",
    statements: [`delete from ledger_accounts where code = 'elsewhere:b'`],
    found: [/has its account and its transaction.*entry \d+\/1: its account does not exist/],
  },
  {
    what: "an account that stood below its floor, though it does not now",
    statements: ["update ledger_accounts set floor_minor = 0 where code = 'bank:dipping'"],
    found: [/below its floor.*account bank:dipping USD, entry 1: balance -5 is below the floor 0/],
  },
  {
    what: "an account that stands below its floor",
    statements: [
      "alter table ledger_accounts drop constraint ledger_accounts_floor_check",
      "update ledger_accounts set floor_minor = 3000 where code = 'seller:ann:pending' and currency = 'USD'",
    ],
    found: [
      /below its floor.*account seller:ann:pending USD, entry 1: balance -2924 is below the floor 3000/,
    ],
  },
  {
    what: "a paid order without its ledger transaction",
    statements: [
      "update ledger_transactions set source = 'order:o-1:elsewhere' where source = 'order:o-1:captured'",
    ],
    found: [
      /paid order has a ledger.*order o-1: is paid but not in the ledger/,
      /sellers. earnings.*seller ann USD/,
    ],
  },
  {
    what: "a paid order of another amount than was booked",
    statements: [
      "update payment_orders set amount_minor = 3000, captured_minor = 3000 where payment_order_id = 'o-1'",
    ],
    found: [/paid order has a ledger.*order o-1: has 3000 USD captured, the ledger debits 2999/],
  },
  {
    what: "a paid order of another seller than was booked",
    statements: ["update payment_orders set seller_account = 'bob' where payment_order_id = 'o-1'"],
    found: [/sellers. earnings.*seller bob USD/],
  },
  {
    what: "a capture whose order does not exist",
    statements: ["delete from payment_orders where payment_order_id = 'o-2'"],
    found: [/capture in the ledger.*transaction \d+ \(order:o-2:captured\): has no order/],
  },
  {
    what: "a capture whose order failed",
    statements: [
      "update payment_orders set status = 'FAILED', captured_minor = 0, wallet_updated = false, ledger_updated = false where payment_order_id = 'o-2'",
    ],
    found: [
      /capture in the ledger.*\(order:o-2:captured\): its order is FAILED/,
      /history.*order o-2: is FAILED, its history ends in SUCCESS/,
      /succeeded attempt.*order o-2: is FAILED with 1 succeeded and 0 authorised attempts/,
    ],
  },
  {
    what: "a checkout that says done and is not",
    statements: [
      "update payment_events set is_payment_done = true, unfinished_order_count = 0 where checkout_id = 'c-3'",
    ],
    found: [/checkout is done.*checkout c-3: says 0 unfinished orders, it has 1/],
  },
  {
    what: "a checkout that is done and does not say so",
    statements: [
      "update payment_events set is_payment_done = false, unfinished_order_count = 1 where checkout_id = 'c-1'",
    ],
    found: [/checkout is done.*checkout c-1: says 1 unfinished orders, it has 0/],
  },
  {
    what: "a history with a step taken out of its middle",
    statements: [
      "delete from payment_order_transitions where payment_order_id = 'o-1' and to_status = 'EXECUTING'",
    ],
    found: [/history.*order o-1: its history has a gap/],
  },
  {
    what: "a history without its beginning",
    statements: [
      "delete from payment_order_transitions where payment_order_id = 'o-1' and from_status is null",
    ],
    found: [/history.*order o-1: its history has a gap/],
  },
  {
    what: "a history without its end",
    statements: [
      "delete from payment_order_transitions where payment_order_id = 'o-1' and to_status = 'SUCCESS'",
    ],
    found: [/history.*order o-1: is SUCCESS, its history ends in EXECUTING/],
  },
  {
    what: "an order without any history",
    statements: ["delete from payment_order_transitions where payment_order_id = 'o-1'"],
    found: [/history.*order o-1: is SUCCESS, its history ends in nothing/],
  },
  {
    what: "a step that the table of transitions does not allow",
    statements: [
      "update payment_order_transitions set from_status = 'NOT_STARTED' where payment_order_id = 'o-1' and to_status = 'SUCCESS'",
      "delete from payment_order_transitions where payment_order_id = 'o-1' and to_status = 'EXECUTING'",
    ],
    found: [/history.*order o-1: /],
  },
  {
    what: "a history of an order that does not exist",
    statements: [
      "insert into payment_order_transitions (payment_order_id, to_status, cause, actor) values ('ghost', 'NOT_STARTED', 'accepted', 'nobody')",
    ],
    found: [/history.*order ghost: /],
  },
  {
    what: "a paid order without a succeeded attempt",
    statements: ["update payment_attempts set status = 'declined' where payment_order_id = 'o-1'"],
    found: [/succeeded attempt.*order o-1: is SUCCESS with 0 succeeded and 0 authorised attempts/],
  },
  {
    what: "an authorisation that the ledger does not hold",
    statements: [
      "update ledger_transactions set source = 'order:o-5:elsewhere' where source = 'order:o-5:authorized'",
    ],
    found: [
      /left of each authorisation.*order o-5: is AUTHORIZED, 400 of 1000 captured; the ledger holds -400/,
    ],
  },
  {
    what: "an authorised order without its authorised attempt",
    statements: ["update payment_attempts set status = 'canceled' where payment_order_id = 'o-5'"],
    found: [/succeeded attempt.*order o-5: is AUTHORIZED with 0 succeeded and 0 authorised attempts/],
  },
  {
    what: "a captured amount that its captures do not come to",
    statements: ["update payment_orders set captured_minor = 500 where payment_order_id = 'o-5'"],
    found: [
      /sum of its captures.*order o-5: says 500 captured and 0 in flight, its captures 400 and 0/,
      /paid order has a ledger.*order o-5: has 500 EUR captured, the ledger debits 400/,
    ],
  },
  {
    what: "an id of the PSP that is no longer stored",
    statements: [
      "delete from psp_references where type = 'payment_intent' and subject_id = (select attempt_id from payment_attempts where payment_order_id = 'o-1')",
    ],
    found: [
      /every id that a PSP gave.*attempt att_\w+: goes by pi_\w+ at stripe, which is stored for nothing/,
    ],
  },
  {
    what: "an id of the PSP that stands for another attempt than the one that goes by it",
    statements: [
      "update psp_references set subject_id = 'att_other' where type = 'payment_intent' and subject_id = (select attempt_id from payment_attempts where payment_order_id = 'o-1')",
    ],
    found: [
      /every id that a PSP gave.*attempt att_\w+: goes by pi_\w+ at stripe, which is stored for att_other/,
    ],
  },
  {
    what: "a capture that goes by an id that is not stored",
    statements: ["update operations set psp_reference = 'cap_lost' where capture_id = 'one'"],
    found: [
      /every id that a PSP gave.*operation op_\w+: goes by cap_lost at stripe, which is stored for nothing/,
    ],
  },
  {
    what: "a capture that was booked and failed",
    statements: ["update operations set status = 'failed' where capture_id = 'one'"],
    found: [
      /capture in the ledger.*its capture is failed/,
      /sum of its captures.*order o-5|paid order has a ledger.*order o-5/,
    ],
  },
  {
    what: "a capture that was reversed while its order is still paid",
    statements: [
      `insert into ledger_transactions (created_at, source, reverses_transaction_id) values (now(), 'reversal:order:o-1:captured', ${transactionOf("order:o-1:captured")})`,
    ],
    found: [
      /paid order has a ledger.*order o-1: is paid but not in the ledger/,
      /sellers. earnings.*seller ann USD/,
    ],
  },
  {
    what: "a second capture of an order whose first one stands",
    statements: [
      "update ledger_transactions set source = 'order:o-1:captured:2' where source = 'order:o-1:captured'",
    ],
    found: [
      /paid order has a ledger.*order o-1: is paid but not in the ledger/,
      /capture in the ledger.*\(order:o-1:captured:2\): its order is SUCCESS/,
    ],
  },
  {
    what: "money that was booked between two right accounts and never happened",
    statements: [
      "insert into ledger_transactions (created_at, source) values (now(), 'order:never:captured')",
      `insert into ledger_entries select account_id, version + 1, ${transactionOf("order:never:captured")}, 70, balance_minor + 70 from ledger_accounts where account_id = ${idOf("psp:stripe:clearing")}`,
      `insert into ledger_entries select account_id, version + 1, ${transactionOf("order:never:captured")}, -70, balance_minor - 70 from ledger_accounts where account_id = ${idOf(ann)}`,
      `update ledger_accounts set version = version + 1, balance_minor = balance_minor + case when account_id = ${idOf(ann)} then -70 else 70 end where account_id in (${idOf(ann)}, ${idOf("psp:stripe:clearing")})`,
    ],
    found: [/capture in the ledger.*\(order:never:captured\): has no order/],
  },
];

test.each(cases)("$what is found and named", async ({ statements, found }) => {
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
    const environment = { PATH: process.env["PATH"], DATABASE_URL: url };
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
