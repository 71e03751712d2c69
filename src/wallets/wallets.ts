/**
 * The door of the wallets room: a seller's money, read from the seller's ledger accounts and stored nowhere
 * else.
 */
import type { Queryable, Timestamp } from "../db/db.ts";
import { formatAmount, toCurrencyCode } from "../money/money.ts";
import { selectWallets, type WalletBalanceRow, type WalletFilter } from "./queries.ts";

export type { WalletFilter } from "./queries.ts";

export type WalletBalance = {
  readonly currency: string;
  readonly pending: string;
  readonly available: string;
  readonly reserved: string;
  readonly in_payout: string;
  readonly debt: string;
  /** The seller's money in all: pending + available + reserved + in payout − debt. */
  readonly total: string;
};

export type Wallet = {
  readonly object: "wallet";
  readonly account_id: string;
  readonly balances: readonly WalletBalance[];
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
};

/** Sellers' wallets by account id, in the order of the newest. */
export async function listWallets(db: Queryable, filter: WalletFilter): Promise<Wallet[]> {
  const wallets = new Map<string, Wallet & { balances: WalletBalance[] }>();
  for (const row of await selectWallets(db, filter)) {
    const wallet = wallets.get(row.account_id) ?? {
      object: "wallet",
      account_id: row.account_id,
      balances: [],
      created_at: row.wallet_created_at,
      updated_at: row.wallet_updated_at,
    };
    wallet.balances.push(balanceOf(row));
    wallets.set(row.account_id, wallet);
  }
  return [...wallets.values()];
}

/** One seller's wallet, undefined when the seller has never had money here. */
export async function findWallet(db: Queryable, accountId: string): Promise<Wallet | undefined> {
  const [wallet] = await listWallets(db, { account_id: accountId, limit: 1 });
  return wallet;
}

function balanceOf(row: WalletBalanceRow): WalletBalance {
  const currency = toCurrencyCode(row.currency);
  const format = (amount_minor: bigint): string => formatAmount({ amount_minor, currency });
  return {
    currency,
    pending: format(row.pending_minor),
    available: format(row.available_minor),
    reserved: format(row.reserved_minor),
    // There are no payouts yet, so no money is on its way to a seller.
    in_payout: format(0n),
    debt: format(row.debt_minor),
    total: format(row.pending_minor + row.available_minor + row.reserved_minor - row.debt_minor),
  };
}
