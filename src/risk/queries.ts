import { numberArray, textArray, type Queryable, type Timestamp } from "../db/db.ts";

export type BlockKind = "buyer_account" | "buyer_email" | "seller_account";
export type BlockRow = { readonly kind: BlockKind; readonly value: string; readonly reason: string; readonly created_at: Timestamp };

type Facts = { readonly buyer_account: string; readonly buyer_email: string; readonly orders: readonly { readonly seller_account: string }[] };

/** Which of the batch's buyers, e-mail addresses and sellers are blocked, as `kind value`. */
export async function selectBlocked(tx: Queryable, subjects: readonly Facts[]): Promise<Set<string>> {
  const rows = await tx.query<{ fact: string }>(
    `select kind || ' ' || value as fact
       from risk_block_list
      where (kind = 'buyer_account' and value = any ($1::text[]))
         or (kind = 'buyer_email' and value = any ($2::text[]))
         or (kind = 'seller_account' and value = any ($3::text[]))`,
    [
      textArray(subjects.map((subject) => subject.buyer_account)),
      textArray(subjects.map((subject) => subject.buyer_email.toLowerCase())),
      textArray(subjects.flatMap((subject) => subject.orders.map((order) => order.seller_account))),
    ],
  );
  return new Set(rows.map((row) => row.fact));
}

/** Adds to what buyers have spent today (UTC) and gives the new totals by `buyer currency`. Rows are locked in key order. */
export async function addBuyerDays(
  tx: Queryable, sums: readonly { buyer_account: string; currency: string; amount_minor: bigint }[],
): Promise<Map<string, bigint>> {
  const rows = await tx.query<{ buyer_account: string; currency: string; amount_minor: bigint }>(
    `insert into risk_buyer_days as d (buyer_account, currency, day, amount_minor)
     select buyer_account, currency, (now() at time zone 'UTC')::date, sum(amount_minor)
       from unnest($1::text[], $2::text[], $3::bigint[]) as s (buyer_account, currency, amount_minor)
      group by buyer_account, currency
      order by buyer_account, currency
     on conflict (buyer_account, currency, day) do update set amount_minor = d.amount_minor + excluded.amount_minor
     returning buyer_account, currency::text, amount_minor`,
    [
      textArray(sums.map((sum) => sum.buyer_account)), textArray(sums.map((sum) => sum.currency)),
      numberArray(sums.map((sum) => sum.amount_minor)),
    ],
  );
  return new Map(rows.map((row) => [`${row.buyer_account} ${row.currency}`, row.amount_minor]));
}

export async function addBlock(tx: Queryable, kind: BlockKind, value: string, reason: string): Promise<void> {
  await tx.query(
    `insert into risk_block_list (kind, value, reason) values ($1, $2, $3) on conflict (kind, value) do nothing`,
    [kind, kind === "buyer_email" ? value.toLowerCase() : value, reason],
  );
}

/** Whether there was such a block. */
export async function removeBlock(tx: Queryable, kind: BlockKind, value: string): Promise<boolean> {
  const rows = await tx.query("delete from risk_block_list where kind = $1 and value = $2 returning kind", [kind, value]);
  return rows.length > 0;
}

export function selectBlockList(db: Queryable): Promise<BlockRow[]> {
  return db.query<BlockRow>("select kind, value, reason, created_at from risk_block_list order by created_at desc, kind, value");
}
