/** The door of the risk room: rules that run before any money moves. */
import type { Transaction } from "../db/db.ts";
import { formatAmount, toCurrencyCode, type Money } from "../money/money.ts";
import { addBuyerDays, subtractBuyerDays, type Blocked } from "./queries.ts";

export { addBlock, removeBlock } from "./block-list.ts";
export { selectBlocked, selectBlockList, type Blocked, type BlockKind, type BlockRow } from "./queries.ts";

export type RiskDecision = "pass" | "review" | "reject";
export type RiskVerdict = { readonly decision: RiskDecision; readonly reasons: readonly string[] };

/** What the rules look at. */
export type RiskSubject = {
  readonly checkout_id: string;
  readonly buyer_account: string;
  readonly buyer_email: string;
  readonly orders: readonly { readonly seller_account: string; readonly money: Money }[];
};

/** The limits, per currency in minor units; a currency without one is not limited. */
export type RiskLimits = {
  readonly order_max: ReadonlyMap<string, bigint>;
  readonly buyer_day_max: ReadonlyMap<string, bigint>;
  /** Orders from this amount on wait for a person. */
  readonly review_from: ReadonlyMap<string, bigint>;
};

/**
 * Decides a batch of checkouts in the transaction that stores them. What a buyer spends in a day is counted
 * on a row that this transaction locks, so that two checkouts at once cannot both slip under the limit.
 * `blocked` was read in this transaction by `selectBlocked`, of at least these subjects; `at` is the business
 * time.
 */
export async function assess(
  tx: Transaction,
  limits: RiskLimits,
  subjects: readonly RiskSubject[],
  blocked: Blocked,
  at: Date,
): Promise<readonly RiskVerdict[]> {
  if (subjects.length === 0) return [];
  const reasons = subjects.map((subject) => [
    ...blockReasons(blocked, subject),
    ...orderReasons(limits, subject),
  ]);
  const dayReasons = await countDays(
    tx,
    limits,
    subjects.filter((_, index) => reasons[index]?.length === 0),
    at,
  );
  return subjects.map((subject, index) => {
    const rejections = [...(reasons[index] ?? []), ...(dayReasons.get(subject.checkout_id) ?? [])];
    return verdictOf(rejections, limits, subject);
  });
}

function verdictOf(rejections: readonly string[], limits: RiskLimits, subject: RiskSubject): RiskVerdict {
  if (rejections.length > 0) return { decision: "reject", reasons: rejections };
  const isForReview = ({ amount_minor, currency }: Money): boolean =>
    amount_minor >= (limits.review_from.get(currency) ?? amount_unlimited);
  const reviews = subject.orders
    .filter(({ money }) => isForReview(money))
    .map(({ money }) => `order of ${formatAmount(money)} ${money.currency} is to be reviewed`);
  return reviews.length > 0 ? { decision: "review", reasons: reviews } : { decision: "pass", reasons: [] };
}

function blockReasons(blocked: ReadonlySet<string>, subject: RiskSubject): string[] {
  const facts = [
    `buyer_account ${subject.buyer_account}`,
    `buyer_email ${subject.buyer_email.toLowerCase()}`,
    ...subject.orders.map((order) => `seller_account ${order.seller_account}`),
  ];
  return facts
    .filter((fact) => blocked.has(fact))
    .map((fact) => `${fact.split(" ", 1)[0]} is on the block list`);
}

function orderReasons(limits: RiskLimits, subject: RiskSubject): string[] {
  return subject.orders
    .filter(({ money }) => money.amount_minor > (limits.order_max.get(money.currency) ?? money.amount_minor))
    .map(({ money }) => `order of ${formatAmount(money)} ${money.currency} is over the limit per order`);
}

/**
 * Adds each checkout to its buyer's day, in the order of the batch, and says which exceeded the limit; those
 * are subtracted again. A checkout that is over in one currency counts in none.
 */
async function countDays(
  tx: Transaction,
  limits: RiskLimits,
  subjects: readonly RiskSubject[],
  at: Date,
): Promise<Map<string, string[]>> {
  const reasons = new Map<string, string[]>();
  const limited = subjects.filter((subject) =>
    subject.orders.some(({ money }) => limits.buyer_day_max.has(money.currency)),
  );
  if (limited.length === 0) return reasons;
  const all = limited.flatMap(daySums);
  const spent = await addBuyerDays(tx, all, at);
  // What was spent before this batch, to which the checkouts that pass are added one by one.
  for (const sum of all) spent.set(keyOf(sum), (spent.get(keyOf(sum)) ?? 0n) - sum.amount_minor);
  const refused: DaySum[] = [];
  for (const subject of limited) {
    const sums = daySums(subject);
    const isOver = (sum: DaySum): boolean => {
      const limit = limits.buyer_day_max.get(sum.currency) ?? amount_unlimited;
      return (spent.get(keyOf(sum)) ?? 0n) + sum.amount_minor > limit;
    };
    const over = sums.filter(isOver);
    if (over.length > 0) {
      reasons.set(
        subject.checkout_id,
        over.map(({ currency }) => `over the buyer's limit of ${limitText(limits, currency)} a day`),
      );
      refused.push(...sums);
    } else {
      for (const sum of sums) spent.set(keyOf(sum), (spent.get(keyOf(sum)) ?? 0n) + sum.amount_minor);
    }
  }
  if (refused.length > 0) await subtractBuyerDays(tx, refused, at);
  return reasons;
}

/** More than any sum of a bigint column. */
const amount_unlimited = 1n << 64n;

const keyOf = (sum: DaySum): string => `${sum.buyer_account} ${sum.currency}`;

function limitText(limits: RiskLimits, currency: string): string {
  const amount_minor = limits.buyer_day_max.get(currency) ?? 0n;
  return `${formatAmount({ amount_minor, currency: toCurrencyCode(currency) })} ${currency}`;
}

type DaySum = { readonly buyer_account: string; readonly currency: string; readonly amount_minor: bigint };

function daySums(subject: RiskSubject): DaySum[] {
  const sums = new Map<string, bigint>();
  for (const { money } of subject.orders)
    sums.set(money.currency, (sums.get(money.currency) ?? 0n) + money.amount_minor);
  return [...sums].map(([currency, amount_minor]) => ({
    buyer_account: subject.buyer_account,
    currency,
    amount_minor,
  }));
}
