import type { AccountRef, OrderedTransactionDraft, PostingOutcome } from "../../src/ledger/ledger.ts";

export type Balances = ReadonlyMap<string, bigint>;
export type Divided = {
  readonly outcome: PostingOutcome;
  readonly shared_amounts: readonly bigint[];
  readonly balances: Balances;
};

/** What a shared amount is, in a few lines and without a database: the oracle for `postAllOrdered`. */
export function divide(before: Balances, draft: OrderedTransactionDraft): Divided {
  const balances = new Map(before);
  const shared_amounts: bigint[] = [];
  let isBorne = true;
  const book = ({ code }: AccountRef, amount_minor: bigint): void => {
    balances.set(code, (balances.get(code) ?? 0n) + amount_minor);
  };
  for (const { account, amount_minor } of draft.entries) {
    const room = roomOf(account, balances, amount_minor);
    if (room !== null && magnitude(amount_minor) > room) isBorne = false;
    book(account, amount_minor);
  }
  for (const { shared_minor, bearers } of draft.shared) {
    let left = magnitude(shared_minor);
    for (const { account, max_minor } of bearers) {
      const borne = least(left, max_minor, roomOf(account, balances, shared_minor));
      left -= borne;
      const amount_minor = shared_minor < 0n ? -borne : borne;
      shared_amounts.push(amount_minor);
      book(account, amount_minor);
    }
    if (left > 0n) isBorne = false;
  }
  return isBorne
    ? { outcome: "posted", shared_amounts, balances }
    : { outcome: "below_floor", shared_amounts, balances: before };
}

/** What the account can lose in this direction before it is at its floor; null: any amount. */
function roomOf(account: AccountRef, balances: Balances, amount_minor: bigint): bigint | null {
  const isDebitNormal = account.kind === "asset" || account.kind === "expense";
  if (account.floor_minor === null || amount_minor > 0n === isDebitNormal) return null;
  const balance = balances.get(account.code) ?? 0n;
  const room = (isDebitNormal ? balance : -balance) - account.floor_minor;
  return room > 0n ? room : 0n;
}

const magnitude = (amount: bigint): bigint => (amount < 0n ? -amount : amount);
const least = (first: bigint, ...others: readonly (bigint | null)[]): bigint =>
  others.reduce<bigint>((found, other) => (other !== null && other < found ? other : found), first);
