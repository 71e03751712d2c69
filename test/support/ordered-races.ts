import { isDeepStrictEqual } from "node:util";
import type { Database } from "../../src/db/db.ts";
import {
  chart,
  postAll,
  postAllOrdered,
  selectAccounts,
  type AccountRef,
  type OrderedTransactionDraft,
  type PostingOutcome,
} from "../../src/ledger/ledger.ts";
import { adjustment, account, purse, usd } from "./ledger.ts";
import { divide, type Balances } from "./ordered-postings.ts";

type Answer = { readonly outcome: PostingOutcome; readonly shared_amounts: readonly bigint[] };

/** Draws a whole number below `bound`. */
export type Draw = (bound: number) => number;

/** The five accounts that a debit to a seller is taken from, in this order. */
type Purse = Record<"pending" | "held" | "available" | "fixed" | "debt" | "clearing", AccountRef>;

const purseOf = (race: string): Purse => ({
  pending: chart.sellerPending(race, usd),
  held: purse(`seller:${race}:held`),
  available: chart.sellerAvailable(race, usd),
  fixed: purse(`seller:${race}:fixed`),
  debt: chart.sellerDebt(race, usd),
  clearing: account(`psp:${race}:clearing`),
});

/**
 * Two debits over five accounts, a release and a credit that pays debt first, at once on connections of their own.
 * Gives what is wrong: null if some order of the four, one after another, explains every answer and balance.
 */
export async function runRace(database: Database, race: string, draw: Draw): Promise<string | null> {
  const of = purseOf(race);
  const before = await fill(database, race, of, draw);
  const drafts = draftsOf(race, of, draw);
  const answers = await Promise.all(
    drafts.map(async (draft): Promise<Answer> => {
      const [posting] = await database.transaction((tx) => postAllOrdered(tx, [draft]));
      if (posting === undefined) throw new Error(`${draft.subject_id} got no answer`);
      return posting;
    }),
  );
  const after = await balancesOf(database, of);
  const isExplained = ordersOf(drafts.map((_, index) => index)).some((order) =>
    explains(order, drafts, answers, before, after),
  );
  return isExplained ? null : `no order explains ${race}: ${show({ before, after, answers })}`;
}

/** Gives each of the seller's accounts some money, but for debt. */
async function fill(database: Database, race: string, of: Purse, draw: Draw): Promise<Balances> {
  const funded = [of.pending, of.held, of.available, of.fixed];
  const entries = funded.flatMap((named) => {
    const amount_minor = BigInt(draw(60));
    return amount_minor === 0n ? [] : [{ account: named, amount_minor: -amount_minor }];
  });
  const total = entries.reduce((sum, { amount_minor }) => sum - amount_minor, 0n);
  if (total > 0n) {
    const clearing = { account: of.clearing, amount_minor: total };
    await database.transaction((tx) =>
      postAll(tx, [{ ...adjustment(`race:${race}:filled`), entries: [clearing, ...entries] }]),
    );
  }
  return balancesOf(database, of);
}

function draftsOf(race: string, of: Purse, draw: Draw): OrderedTransactionDraft[] {
  const debit = (n: number): OrderedTransactionDraft => {
    const amount_minor = BigInt(1 + draw(150));
    return {
      ...adjustment(`race:${race}:debit-${n}`),
      entries: [{ account: of.clearing, amount_minor: -amount_minor }],
      shared: [
        {
          shared_minor: amount_minor,
          bearers: [
            { account: of.pending, max_minor: BigInt(draw(40)) },
            { account: of.held, max_minor: BigInt(draw(40)) },
            { account: of.available, max_minor: null },
            { account: of.fixed, max_minor: null },
            { account: of.debt, max_minor: null },
          ],
        },
      ],
    };
  };
  const released = BigInt(1 + draw(40));
  const credited = BigInt(1 + draw(80));
  const toAvailable = (amount_minor: bigint): OrderedTransactionDraft["shared"] => [
    {
      shared_minor: -amount_minor,
      bearers: [
        { account: of.debt, max_minor: null },
        { account: of.available, max_minor: null },
      ],
    },
  ];
  return [
    debit(1),
    debit(2),
    {
      ...adjustment(`race:${race}:released`),
      entries: [{ account: of.pending, amount_minor: released }],
      shared: toAvailable(released),
    },
    {
      ...adjustment(`race:${race}:credited`),
      entries: [{ account: of.clearing, amount_minor: credited }],
      shared: toAvailable(credited),
    },
  ];
}

async function balancesOf(database: Database, of: Purse): Promise<Balances> {
  const balances = new Map<string, bigint>();
  for (const { code } of Object.values(of)) {
    const [found] = await selectAccounts(database, { code, limit: 1 });
    balances.set(code, found?.balance_minor ?? 0n);
  }
  return balances;
}

function explains(
  order: readonly number[],
  drafts: readonly OrderedTransactionDraft[],
  answers: readonly Answer[],
  before: Balances,
  after: Balances,
): boolean {
  let balances = before;
  for (const index of order) {
    const draft = drafts[index];
    const answer = answers[index];
    if (draft === undefined || answer === undefined) return false;
    const divided = divide(balances, draft);
    if (divided.outcome !== answer.outcome) return false;
    const isPosted = answer.outcome === "posted";
    if (isPosted && !isDeepStrictEqual(divided.shared_amounts, answer.shared_amounts)) return false;
    balances = divided.balances;
  }
  return isDeepStrictEqual(new Map(balances), new Map(after));
}

function ordersOf(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    ordersOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === "bigint" ? String(part) : part instanceof Map ? Object.fromEntries(part) : part,
  );
