import { expect, test } from "vitest";
import { account, adjustment, eur, purse, transfer, usd } from "../../test/support/ledger.ts";
import { outcomesOf, shareLedger } from "../../test/support/shared-ledger.ts";
import { selectAccounts, type TransactionDraft } from "./ledger.ts";

const books = shareLedger();
const { post, balanceOf } = books;

const cash = account("cash");

test("a transaction is written with its entries, running balances and versions, all at one time", async () => {
  const [posting] = await post(transfer("first", cash, purse("first:seller"), 1_500n));
  expect(posting?.outcome).toBe("posted");
  expect(
    await books.db.asService(
      `select a.code, e.amount_minor, e.balance_after_minor, e.account_version from ledger_entries e join ledger_accounts a using (account_id)
      where transaction_id = $1 order by a.code`,
      [posting?.transaction_id],
    ),
  ).toEqual([
    { code: "cash", amount_minor: "1500", balance_after_minor: "1500", account_version: "1" },
    { code: "first:seller", amount_minor: "-1500", balance_after_minor: "-1500", account_version: "1" },
  ]);
  const [seller] = await selectAccounts(books.db.database, { code: "first:seller", limit: 2 });
  expect(seller).toMatchObject({
    kind: "liability",
    currency: "USD",
    balance_minor: -1_500n,
    version: 1n,
    floor_minor: 0n,
  });
});

test("a batch of nothing is nothing", async () => {
  expect(await post()).toEqual([]);
});

test("a draft that is empty, has a zero entry or does not balance in each currency is a bug of the caller, and nothing is written", async () => {
  const good = transfer("beside-a-bug", cash, purse("bug"), 1n);
  const entry = (amount_minor: bigint, currency = usd) => ({
    account: account("bug", { currency }),
    amount_minor,
  });
  for (const entries of [[], [entry(0n)], [entry(5n), entry(-4n)], [entry(5n), entry(-5n, eur)]]) {
    await expect(post(good, { ...adjustment("bug"), entries })).rejects.toThrow(
      /^adjusted of adjustment bug: /,
    );
  }
  expect(
    await books.db.asService("select 1 from ledger_transactions where subject_id in ('bug', 'beside-a-bug')"),
  ).toEqual([]);
});

test("accounts of one code in two currencies are two accounts", async () => {
  const both: TransactionDraft = {
    ...adjustment("two-currencies"),
    entries: [
      ...transfer("", account("till"), purse("till:owner"), 7n).entries,
      ...transfer("", account("till", { currency: eur }), purse("till:owner", eur), 9n).entries,
    ],
  };
  expect(outcomesOf(await post(both))).toEqual(["posted"]);
  expect([await balanceOf("till"), await balanceOf("till", eur)]).toEqual([7n, 9n]);
});

test("codes and names with quotes, backslashes, commas and braces are kept as they are", async () => {
  const code = 'seller:{"a\\b",NULL}:pending';
  expect(outcomesOf(await post(transfer(`order:${code}`, cash, purse(code), 3n)))).toEqual(["posted"]);
  expect(await balanceOf(code)).toBe(-3n);
});

test("a transaction that was posted is skipped and names the first transaction", async () => {
  const draft = transfer("again", cash, purse("again"), 10n);
  const [first] = await post(draft);
  const [fresh, repeated, other] = await post(
    transfer("again-neighbour", cash, purse("again"), 1n),
    draft,
    transfer("again-2", cash, purse("again"), 2n),
  );
  expect(repeated).toEqual({ outcome: "already_posted", transaction_id: first?.transaction_id });
  expect([fresh?.outcome, other?.outcome]).toEqual(["posted", "posted"]);
  expect(await balanceOf("again")).toBe(-13n);
});

test("the same transaction with another order of entries is still the same", async () => {
  const draft = transfer("reordered", cash, purse("reordered"), 10n);
  await post(draft);
  expect(outcomesOf(await post({ ...draft, entries: draft.entries.toReversed() }))).toEqual([
    "already_posted",
  ]);
});

test("a transaction that was posted with another amount, account, currency or further entries is a conflict", async () => {
  await post(transfer("conflict", cash, purse("conflict"), 10n));
  const others: TransactionDraft[] = [
    transfer("conflict", cash, purse("conflict"), 11n),
    transfer("conflict", account("other"), purse("conflict"), 10n),
    transfer("conflict", account("cash", { currency: eur }), purse("conflict", eur), 10n),
    {
      ...adjustment("conflict"),
      entries: [
        ...transfer("", cash, purse("conflict"), 10n).entries,
        ...transfer("", cash, purse("conflict"), 1n).entries,
      ],
    },
  ];
  for (const other of others) expect(outcomesOf(await post(other))).toEqual(["name_conflict"]);
  expect(await balanceOf("conflict")).toBe(-10n);
});

test("duplicates inside one batch: the first is posted, the same again is skipped, another one is a conflict", async () => {
  const draft = transfer("twin", cash, purse("twin"), 10n);
  const postings = await post(
    draft,
    transfer("between", cash, purse("twin"), 1n),
    draft,
    transfer("twin", cash, purse("twin"), 11n),
  );
  expect(outcomesOf(postings)).toEqual(["posted", "posted", "already_posted", "name_conflict"]);
  expect(
    new Set([postings[0], postings[2], postings[3]].map((posting) => posting?.transaction_id)),
  ).toHaveLength(1);
  expect(await balanceOf("twin")).toBe(-11n);
});

test("a transaction that breaks a floor is refused alone, and its neighbours stand", async () => {
  const seller = purse("poor");
  const postings = await post(
    transfer("poor-1", cash, seller, 10n),
    transfer("poor-2", seller, cash, 11n),
    transfer("poor-3", seller, cash, 4n),
  );
  expect(outcomesOf(postings)).toEqual(["posted", "below_floor", "posted"]);
  expect(postings[1]?.transaction_id).toBeNull();
  expect(await balanceOf("poor")).toBe(-6n);
});

test("the order of a batch decides: what comes before its funding is refused, what comes after is posted", async () => {
  const seller = purse("early");
  const postings = await post(
    transfer("early-payout", seller, cash, 5n),
    transfer("early-funding", cash, seller, 5n),
    transfer("early-second-payout", seller, cash, 5n),
  );
  expect(outcomesOf(postings)).toEqual(["below_floor", "posted", "posted"]);
  expect(await balanceOf("early")).toBe(0n);
});

test("a refused transaction can be posted later", async () => {
  const seller = purse("later");
  const payout = transfer("later-payout", seller, cash, 5n);
  expect(outcomesOf(await post(payout))).toEqual(["below_floor"]);
  await post(transfer("later-funding", cash, seller, 5n));
  expect(outcomesOf(await post(payout))).toEqual(["posted"]);
});

test("a floor holds for debit-normal accounts too, and need not be 0", async () => {
  const debt = account("floor:debt", { floor_minor: 0n });
  const credit = account("floor:credit", { kind: "liability", floor_minor: -100n });
  expect(outcomesOf(await post(transfer("floor-1", cash, debt, 1n)))).toEqual(["below_floor"]);
  expect(outcomesOf(await post(transfer("floor-2", credit, cash, 100n)))).toEqual(["posted"]);
  expect(outcomesOf(await post(transfer("floor-3", credit, cash, 1n)))).toEqual(["below_floor"]);
});

test("balances reach the ends of bigint; beyond them the transaction fails and nothing of it stays", async () => {
  const largest = 2n ** 63n - 1n;
  expect(
    outcomesOf(
      await post(transfer("largest", account("vast"), account("void", { kind: "equity" }), largest)),
    ),
  ).toEqual(["posted"]);
  await expect(
    post(transfer("one-more", account("vast"), account("void", { kind: "equity" }), 1n)),
  ).rejects.toMatchObject({ code: "22003" });
  expect(await balanceOf("vast")).toBe(largest);
  expect(await books.db.asService("select 1 from ledger_transactions where subject_id = 'one-more'")).toEqual(
    [],
  );
});
