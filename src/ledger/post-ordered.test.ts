import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { account, adjustment, eur, purse, transfer } from "../../test/support/ledger.ts";
import { shareLedger } from "../../test/support/shared-ledger.ts";
import { divide } from "../../test/support/ordered-postings.ts";
import { runRace } from "../../test/support/ordered-races.ts";
import {
  postAll,
  postAllOrdered,
  postTogether,
  reversalsOf,
  selectAccounts,
  type AccountRef,
  type Bearer,
  type OrderedPosting,
  type OrderedTransactionDraft,
  type Posting,
  type PostingDraft,
} from "./ledger.ts";

const books = shareLedger();

const clearing = account("clearing");
const debtOf = (name: string): AccountRef => account(`${name}:debt`, { floor_minor: 0n });

const post = (...drafts: OrderedTransactionDraft[]): Promise<readonly OrderedPosting[]> =>
  books.db.database.transaction((tx) => postAllOrdered(tx, drafts));

async function fund(named: AccountRef, amount_minor: bigint): Promise<void> {
  await books.db.database.transaction((tx) =>
    postAll(tx, [transfer(`funded:${named.code}`, clearing, named, amount_minor)]),
  );
}

const debit = (
  name: string,
  shared_minor: bigint,
  ...bearers: [Bearer, ...Bearer[]]
): OrderedTransactionDraft => ({
  ...adjustment(name),
  entries: [{ account: clearing, amount_minor: -shared_minor }],
  shared: [{ shared_minor, bearers }],
});
const bears = (named: AccountRef, max_minor: bigint | null = null): Bearer => ({ account: named, max_minor });

async function balanceOf({ code }: AccountRef): Promise<bigint> {
  const [found] = await selectAccounts(books.db.database, { code, limit: 1 });
  return found?.balance_minor ?? 0n;
}

describe("a shared debit", () => {
  test("takes from each account in order what maximum and floor allow, and the rest from the last", async () => {
    const [pending, available, debt] = [purse("a:pending"), purse("a:available"), debtOf("a")];
    await fund(pending, 50n);
    await fund(available, 20n);
    const [posting] = await post(debit("a", 60n, bears(pending, 30n), bears(available), bears(debt)));
    expect(posting).toMatchObject({ outcome: "posted", shared_amounts: [30n, 20n, 10n] });
    expect([await balanceOf(pending), await balanceOf(available), await balanceOf(debt)]).toEqual([
      -20n,
      0n,
      10n,
    ]);
  });

  test("makes no entry of 0, and leaves out the accounts that bear nothing", async () => {
    const [pending, available] = [purse("b:pending"), purse("b:available")];
    await fund(pending, 50n);
    const [posting] = await post(debit("b", 50n, bears(pending), bears(available)));
    expect(posting?.shared_amounts).toEqual([50n, 0n]);
    const entries = await books.db.asService("select 1 from ledger_entries where transaction_id = $1", [
      posting?.transaction_id,
    ]);
    expect(entries).toHaveLength(2);
  });

  test("that its accounts cannot bear is below_floor, and its neighbours in the batch stand", async () => {
    const [pending, other] = [purse("c:pending"), purse("c:other")];
    await fund(pending, 10n);
    await fund(other, 5n);
    const postings = await post(
      debit("c-1", 11n, bears(pending), bears(other, 0n)),
      debit("c-2", 12n, bears(pending), bears(other)),
      debit("c-3", 4n, bears(pending), bears(other)),
    );
    expect(postings.map(({ outcome }) => outcome)).toEqual(["below_floor", "posted", "below_floor"]);
    expect(postings[0]).toEqual({ outcome: "below_floor", transaction_id: null, shared_amounts: [0n, 0n] });
    expect(postings[1]?.shared_amounts).toEqual([10n, 2n]);
    expect([await balanceOf(pending), await balanceOf(other)]).toEqual([0n, -3n]);
  });

  test("posted again is known by its amount, whatever its accounts hold by now; another amount is a conflict", async () => {
    const [pending, available] = [purse("d:pending"), purse("d:available")];
    await fund(pending, 10n);
    await fund(available, 100n);
    const draft = debit("d", 30n, bears(pending), bears(available));
    const [first] = await post(draft);
    await fund(purse("d:unrelated"), 1n);
    const [again] = await post(draft);
    expect(again).toEqual({ ...first, outcome: "already_posted" });
    const [other] = await post(debit("d", 31n, bears(pending), bears(available)));
    expect(other).toMatchObject({ outcome: "name_conflict", transaction_id: first?.transaction_id });
    expect(await balanceOf(available)).toBe(-80n);
  });
});

test("a shared credit pays debt first, and the rest is available", async () => {
  const [available, debt] = [purse("e:available"), debtOf("e")];
  await post(debit("e-debt", 25n, bears(available), bears(debt)));
  const credit: OrderedTransactionDraft = {
    ...adjustment("e-credit"),
    entries: [{ account: clearing, amount_minor: 40n }],
    shared: [{ shared_minor: -40n, bearers: [bears(debt), bears(available)] }],
  };
  expect((await post(credit))[0]?.shared_amounts).toEqual([-25n, -15n]);
  expect([await balanceOf(debt), await balanceOf(available)]).toEqual([0n, -15n]);
});

test("a draft that does not balance, names an account twice or mixes currencies is a bug", async () => {
  const named = purse("f:pending");
  const unbalanced = {
    ...debit("f-1", 10n, bears(named)),
    entries: [{ account: clearing, amount_minor: -9n }],
  };
  await expect(post(unbalanced)).rejects.toThrow("sum to 1");
  await expect(post(debit("f-2", 10n, bears(named), bears(named)))).rejects.toThrow("stands twice");
  await expect(post(debit("f-6", 10n, bears(named, -1n)))).rejects.toThrow("no negative amount");
  const mixed = debit("f-3", 10n, bears(named), bears(purse("f:euros", eur)));
  await expect(post(mixed)).rejects.toThrow("several currencies");
  await expect(post(debit("f-4", 1n, bears(named)), debit("f-4", 1n, bears(named)))).rejects.toThrow(
    "same name",
  );
});

test("a reversal stands beside shared amounts, and the money of one that is refused is not divided", async () => {
  const [pending, available] = [purse("g:pending"), purse("g:available")];
  await fund(pending, 50n);
  await fund(available, 50n);
  const together = (...drafts: PostingDraft[]): Promise<readonly Posting[]> =>
    books.db.database.transaction((tx) => postTogether(tx, drafts));
  await together(transfer("g-paid", pending, clearing, 30n));
  const [reversal] = await reversalsOf(books.db.database, [adjustment("g-paid")], "test");
  if (reversal === undefined) throw new Error("no reversal");
  const again = { ...reversal, part: "again" };
  const postings = await together(
    reversal,
    debit("g-1", 60n, bears(pending), bears(available)),
    again,
    debit("g-2", 40n, bears(pending), bears(available)),
    debit("g-3", 1n, bears(pending), bears(available)),
  );
  expect(postings.map(({ outcome }) => outcome)).toEqual([
    "posted",
    "posted",
    "already_reversed",
    "posted",
    "below_floor",
  ]);
  expect([await balanceOf(pending), await balanceOf(available)]).toEqual([0n, 0n]);
  const later = await together(
    { ...again, part: "later" },
    debit("g-4", 1n, bears(pending), bears(available)),
  );
  expect(later.map(({ outcome }) => outcome)).toEqual(["already_reversed", "below_floor"]);
});

test("a plain transaction beside shared amounts may name an account twice", async () => {
  const pending = purse("h:pending");
  const twice = {
    ...adjustment("h-plain"),
    entries: [...transfer("", clearing, pending, 7n).entries, ...transfer("", clearing, pending, 4n).entries],
  };
  const shared = debit("h-shared", 11n, bears(pending));
  const postings = await books.db.database.transaction((tx) => postTogether(tx, [twice, shared]));
  expect(postings.map(({ outcome }) => outcome)).toEqual(["posted", "posted"]);
  expect(await balanceOf(pending)).toBe(0n);
});

test("batches of any shared debits and credits divide as the model does", async () => {
  let run = 0;
  const amounts = fc.bigInt({ min: 1n, max: 60n });
  const parts = fc.record({
    isCredit: fc.boolean(),
    amount: amounts,
    maxima: fc.array(fc.option(fc.bigInt({ min: 0n, max: 40n }), { nil: null }), {
      minLength: 4,
      maxLength: 4,
    }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(amounts, { minLength: 3, maxLength: 3 }),
      fc.array(parts, { minLength: 1, maxLength: 6 }),
      async (funds, batch) => {
        run += 1;
        const purses = ["pending", "held", "available"].map((part) => purse(`model-${run}:${part}`));
        const bearers = [...purses, debtOf(`model-${run}`)];
        for (const [index, named] of purses.entries()) await fund(named, funds[index] ?? 1n);
        let balances: ReadonlyMap<string, bigint> = new Map(
          purses.map((named, index) => [named.code, -(funds[index] ?? 1n)]),
        );
        const drafts = batch.map(({ isCredit, amount, maxima }, n): OrderedTransactionDraft => {
          const shared_minor = isCredit ? -amount : amount;
          const [first, ...others] = (isCredit ? bearers.toReversed() : bearers).map((named, index) =>
            bears(named, maxima[index] ?? null),
          );
          if (first === undefined) throw new Error("no bearer");
          return debit(`model-${run}-${n}`, shared_minor, first, ...others);
        });
        const postings = await post(...drafts);
        for (const [index, draft] of drafts.entries()) {
          const divided = divide(balances, draft);
          expect(postings[index]?.outcome).toBe(divided.outcome);
          if (divided.outcome === "posted")
            expect(postings[index]?.shared_amounts).toEqual(divided.shared_amounts);
          balances = divided.balances;
        }
        for (const named of bearers) expect(await balanceOf(named)).toBe(balances.get(named.code) ?? 0n);
      },
    ),
    { numRuns: 60 },
  );
});

test("fifty races of debits, a release and a credit each end as some order of them would", async () => {
  const races = Array.from({ length: 50 }, (_, n) => `race-${n}`);
  const wrong: string[] = [];
  for (const race of races)
    wrong.push(...[await runRace(books.db.database, race, draw)].filter((one) => one !== null));
  expect(wrong).toEqual([]);
});

const draw = (bound: number): number => Math.floor(Math.random() * bound);
