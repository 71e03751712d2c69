import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { adjustment, account, accountKey, eur, LedgerModel, purse, usd } from "../../test/support/ledger.ts";
import type { AccountRef, EntryDraft, Posting, TransactionDraft } from "./ledger.ts";
import { postAll, selectAccounts, selectTrialBalance, verifyLedger } from "./ledger.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

/** Few accounts, so that they are hot, of every sort of floor; each run has its own. */
const accountsOf = (run: number): readonly AccountRef[] =>
  [usd, eur].flatMap((currency) => [
    account(`${run}:psp`, { currency }),
    account(`${run}:debt`, { currency, floor_minor: 0n }),
    purse(`${run}:seller`, currency),
    account(`${run}:credit`, { currency, kind: "liability", floor_minor: -20n }),
    account(`${run}:revenue`, { currency, kind: "revenue" }),
  ]);

/** A leg moves money in one currency between two or three accounts. */
type Leg = {
  readonly currency: number;
  readonly accounts: readonly number[];
  readonly amounts: readonly bigint[];
};
const amounts = fc
  .oneof(fc.bigInt({ min: -30n, max: 30n }), fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }))
  .filter((amount) => amount !== 0n);
const legs: fc.Arbitrary<Leg> = fc.record({
  currency: fc.nat(1),
  accounts: fc.array(fc.nat(4), { minLength: 2, maxLength: 4 }),
  amounts: fc.array(amounts, { minLength: 3, maxLength: 3 }),
});
/** A new transaction (now and then under a name used before), or an earlier one once more. */
type Step = { readonly repeats: number | null; readonly name: number; readonly legs: readonly Leg[] };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    repeats: fc.option(fc.nat(30), { freq: 6 }),
    name: fc.nat(60),
    legs: fc.array(legs, { minLength: 1, maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 40 },
);

function entriesOf(leg: Leg, accounts: readonly AccountRef[]): EntryDraft[] {
  const chosen = leg.accounts.flatMap((index) => accounts[leg.currency * 5 + index] ?? []);
  const [last, ...others] = chosen;
  if (last === undefined) return [];
  const entries = others.map((named, index): EntryDraft => ({
    account: named,
    amount_minor: leg.amounts[index] ?? 1n,
  }));
  const rest = -entries.reduce((sum, entry) => sum + entry.amount_minor, 0n);
  return rest === 0n ? entries : [...entries, { account: last, amount_minor: rest }];
}

function draftsOf(run: number, plan: readonly Step[]): TransactionDraft[] {
  const accounts = accountsOf(run);
  const drafts: TransactionDraft[] = [];
  for (const step of plan) {
    const earlier = step.repeats === null ? undefined : drafts[step.repeats];
    drafts.push(
      earlier ?? {
        ...adjustment(`${run}:${step.name}`),
        entries: step.legs.flatMap((leg) => entriesOf(leg, accounts)),
      },
    );
  }
  return drafts;
}

/** Cuts a list into pieces of these sizes, again and again. */
function cut<Item>(items: readonly Item[], sizes: readonly number[]): Item[][] {
  const pieces: Item[][] = [];
  for (let start = 0, n = 0; start < items.length; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    pieces.push(items.slice(start, start + size));
    start += size;
  }
  return pieces;
}

const post = (drafts: readonly TransactionDraft[]): Promise<readonly Posting[]> =>
  db.database.transaction((tx) => postAll(tx, drafts));
const batchSizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 });

async function expectBalancesOf(model: LedgerModel, run: number): Promise<void> {
  const rows = (await selectAccounts(db.database, { limit: 1_000_000 })).filter(
    (row) => row.code.startsWith(`${run}:`) && row.version > 0n,
  );
  const found = rows.map((row): [string, unknown] => [
    accountKey(row),
    { balance_minor: row.balance_minor, version: row.version },
  ]);
  expect(new Map(found)).toEqual(model.accounts);
}

async function expectNoFaults(): Promise<void> {
  expect((await verifyLedger(db.database)).flatMap((check) => check.faults)).toEqual([]);
  for (const row of await selectTrialBalance(db.database)) expect(row.debit_minor).toBe(row.credit_minor);
}

let runs = 0;
/** Shrinking a counterexample ends in time to show it. */
const limits = { interruptAfterTimeLimit: 20_000 };

test("whatever is posted in whatever batches, every outcome and every balance is the model's", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(steps, batchSizes, async (plan, sizes) => {
      const run = ++runs;
      const model = new LedgerModel();
      const drafts = draftsOf(run, plan);
      const postings = [];
      for (const batch of cut(drafts, sizes)) postings.push(...(await post(batch)));
      const outcomes = postings.map((posting) => posting.outcome);
      expect(outcomes).toEqual(drafts.map((draft) => model.post(draft)));
      for (const outcome of outcomes) seen.add(outcome);
      await expectBalancesOf(model, run);
    }),
    { numRuns: 150, ...limits },
  );
  expect([...seen].toSorted()).toEqual(["already_posted", "below_floor", "name_conflict", "posted"]);
  await expectNoFaults();
});

test("posters at the same time leave a ledger that some order of them explains", async () => {
  await fc.assert(
    fc.asyncProperty(steps, batchSizes, fc.integer({ min: 2, max: 6 }), async (plan, sizes, posters) => {
      const run = ++runs;
      const drafts = draftsOf(run, plan);
      const batches = cut(drafts, sizes);
      const results = await Promise.all(
        Array.from({ length: posters }, async (_, poster) => {
          const decided: { draft: TransactionDraft; posting: Posting }[] = [];
          for (const batch of batches.filter((_batch, index) => index % posters === poster)) {
            (await post(batch)).forEach((posting, index) =>
              decided.push({ draft: batch[index] ?? { ...adjustment(""), entries: [] }, posting }),
            );
          }
          return decided;
        }),
      );
      const decided = results.flat();
      const posted = decided.filter(({ posting }) => posting.outcome === "posted");
      expect(new Set(posted.map(({ draft }) => draft.subject_id))).toHaveLength(posted.length);
      const model = new LedgerModel();
      // The accounts' floors need the true order, which the versions in the ledger prove (verifyLedger); sums
      // do not.
      for (const { draft } of posted)
        model.post({
          ...draft,
          entries: draft.entries.map((entry) => ({
            ...entry,
            account: { ...entry.account, floor_minor: null },
          })),
        });
      await expectBalancesOf(model, run);
      for (const { draft, posting } of decided.filter(
        (one) => one.posting.outcome !== "posted" && one.posting.outcome !== "below_floor",
      )) {
        const first = posted.find((one) => one.draft.subject_id === draft.subject_id);
        expect(posting.transaction_id).toBe(first?.posting.transaction_id);
        expect(model.post(draft)).toBe(posting.outcome);
      }
    }),
    { numRuns: 60, ...limits },
  );
  await expectNoFaults();
});
