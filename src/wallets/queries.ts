import type { Queryable, Timestamp } from "../db/db.ts";

export type WalletBalanceRow = {
  readonly account_id: string;
  readonly wallet_created_at: Timestamp;
  readonly wallet_updated_at: Timestamp;
  readonly currency: string;
  readonly pending_minor: bigint;
  readonly available_minor: bigint;
  readonly reserved_minor: bigint;
  readonly debt_minor: bigint;
};

export type WalletFilter = {
  readonly account_id?: string;
  readonly currency?: string;
  readonly before?: { readonly created_at: Timestamp; readonly id: string };
  readonly limit: number;
};

/** A row for each currency of each wallet, from the accounts that the chart of the ledger has for sellers; newest wallet first, at most `limit` wallets. */
export function selectWallets(db: Queryable, filter: WalletFilter): Promise<WalletBalanceRow[]> {
  return db.query<WalletBalanceRow>(
    `with wallets as (
       select w.account_id, w.wallet_created_at, w.wallet_updated_at
         from (
           select owner_id as account_id, min(created_at) as wallet_created_at, max(updated_at) as wallet_updated_at
             from ledger_accounts
            where owner_id is not null and ($1::text is null or owner_id = $1)
            group by owner_id
           having $2::text is null or bool_or(currency = $2)
         ) w
        where $3::timestamptz is null or (w.wallet_created_at, w.account_id) < ($3, $4::text)
        order by w.wallet_created_at desc, w.account_id desc
        limit $5
     )
     select w.account_id, w.wallet_created_at, w.wallet_updated_at, a.currency::text,
            coalesce(-sum(a.balance_minor) filter (where a.code = 'seller:' || a.owner_id || ':pending'), 0)::bigint as pending_minor,
            coalesce(-sum(a.balance_minor) filter (where a.code = 'seller:' || a.owner_id || ':available'), 0)::bigint as available_minor,
            coalesce(-sum(a.balance_minor) filter (where a.code = 'seller:' || a.owner_id || ':reserved'), 0)::bigint as reserved_minor,
            coalesce(sum(a.balance_minor) filter (where a.code = 'seller:' || a.owner_id || ':debt'), 0)::bigint as debt_minor
       from wallets w
       join ledger_accounts a on a.owner_id = w.account_id
      group by w.account_id, w.wallet_created_at, w.wallet_updated_at, a.currency
      order by w.wallet_created_at desc, w.account_id desc, a.currency`,
    [filter.account_id ?? null, filter.currency ?? null, filter.before?.created_at ?? null, filter.before?.id ?? null, filter.limit],
  );
}
