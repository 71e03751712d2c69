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
  /** The account_id of the last wallet shown. */
  readonly before?: string;
  readonly limit: number;
};

/**
 * A row for each currency of each wallet, from the ledger accounts that the chart has for sellers; newest
 * wallet first (with a currency filter: the wallet that got the currency last), at most `limit` wallets.
 */
export function selectWallets(db: Queryable, filter: WalletFilter): Promise<WalletBalanceRow[]> {
  return db.query<WalletBalanceRow>(
    `with wallets as materialized (
       select o.owner_id, o.place
         from ledger_owners o
        where o.currency = coalesce($2::text, '')
          and ($1::text is null or o.owner_id = $1)
          and ($3::text is null or o.place < (
            select b.place from ledger_owners b
             where b.owner_id = $3 and b.currency = coalesce($2::text, '')))
        order by o.place desc
        limit $4
     )
     select w.owner_id as account_id, min(min(a.created_at)) over wallet as wallet_created_at,
            max(max(a.updated_at)) over wallet as wallet_updated_at, a.currency::text,
            coalesce(-sum(a.balance_minor)
              filter (where a.role = 'seller_pending'), 0)::bigint as pending_minor,
            coalesce(-sum(a.balance_minor)
              filter (where a.role = 'seller_available'), 0)::bigint as available_minor,
            coalesce(-sum(a.balance_minor)
              filter (where a.role = 'seller_reserved'), 0)::bigint as reserved_minor,
            coalesce(sum(a.balance_minor)
              filter (where a.role = 'seller_debt'), 0)::bigint as debt_minor
       from wallets w
       join ledger_accounts a on a.owner_id = w.owner_id
      group by w.owner_id, w.place, a.currency
     window wallet as (partition by w.owner_id)
      order by w.place desc, a.currency`,
    [filter.account_id ?? null, filter.currency ?? null, filter.before ?? null, filter.limit],
  );
}
