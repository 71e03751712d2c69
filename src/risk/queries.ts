import { numberArray, textArray, type Queryable, type Timestamp } from "../db/db.ts";

export type BlockKind = "buyer_account" | "buyer_email" | "seller_account";
export type BlockRow = {
  readonly kind: BlockKind;
  readonly value: string;
  readonly reason: string;
  readonly created_by: string;
  readonly created_at: Timestamp;
};
export type NewBlock = Pick<BlockRow, "kind" | "value" | "reason">;

type Facts = {
  readonly buyer_account: string;
  readonly buyer_email: string;
  readonly orders: readonly { readonly seller_account: string }[];
};

/** Blocked facts as `kind value`. */
export type Blocked = ReadonlySet<string>;

/** Which of the batch's buyers, e-mail addresses and sellers are blocked, as `kind value`. */
export async function selectBlocked(tx: Queryable, subjects: readonly Facts[]): Promise<Blocked> {
  const rows = await tx.query<{ fact: string }>("select fact from risk_blocked($1, $2, $3)", [
    textArray(subjects.map((subject) => subject.buyer_account)),
    textArray(subjects.map((subject) => subject.buyer_email.toLowerCase())),
    textArray(subjects.flatMap((subject) => subject.orders.map((order) => order.seller_account))),
  ]);
  return new Set(rows.map((row) => row.fact));
}

type DaySum = { readonly buyer_account: string; readonly currency: string; readonly amount_minor: bigint };

const dayParameters = (sums: readonly DaySum[], at: Date): string[] => [
  textArray(sums.map((sum) => sum.buyer_account)),
  textArray(sums.map((sum) => sum.currency)),
  numberArray(sums.map((sum) => sum.amount_minor)),
  at.toISOString(),
];

/**
 * Adds to what buyers have spent on the day of `at` (UTC) and gives the new totals by `buyer currency`. Rows
 * are locked in key order.
 */
export async function addBuyerDays(
  tx: Queryable,
  sums: readonly DaySum[],
  at: Date,
): Promise<Map<string, bigint>> {
  const rows = await tx.query<DaySum>(
    `insert into risk_buyer_days as d (buyer_account, currency, day, amount_minor)
     select buyer_account, currency, ($4::timestamptz at time zone 'UTC')::date, sum(amount_minor)
       from unnest($1::text[], $2::text[], $3::bigint[]) as s (buyer_account, currency, amount_minor)
      group by buyer_account, currency
      order by buyer_account, currency
     on conflict (buyer_account, currency, day)
     do update set amount_minor = d.amount_minor + excluded.amount_minor
     returning buyer_account, currency::text, amount_minor`,
    dayParameters(sums, at),
  );
  return new Map(rows.map((row) => [`${row.buyer_account} ${row.currency}`, row.amount_minor]));
}

/**
 * Takes off again what `addBuyerDays` added at the same `at` in the same transaction, whose locks still hold.
 */
export async function subtractBuyerDays(tx: Queryable, sums: readonly DaySum[], at: Date): Promise<void> {
  await tx.query(
    `update risk_buyer_days d
        set amount_minor = d.amount_minor - s.amount_minor
       from (
         select buyer_account, currency, sum(amount_minor) as amount_minor
           from unnest($1::text[], $2::text[], $3::bigint[]) as u (buyer_account, currency, amount_minor)
          group by buyer_account, currency
       ) s
      where d.buyer_account = s.buyer_account and d.currency = s.currency
        and d.day = ($4::timestamptz at time zone 'UTC')::date`,
    dayParameters(sums, at),
  );
}

/** Whether the block is new; one that exists keeps its reason. */
export async function insertBlock(
  tx: Queryable,
  block: NewBlock & { readonly created_by: string },
): Promise<boolean> {
  const rows = await tx.query(
    `insert into risk_block_list (kind, value, reason, created_by) values ($1, $2, $3, $4)
     on conflict (kind, value) do nothing
     returning kind`,
    [block.kind, block.value, block.reason, block.created_by],
  );
  return rows.length > 0;
}

/** The removed block, if there was one. */
export async function deleteBlock(
  tx: Queryable,
  kind: BlockKind,
  value: string,
): Promise<BlockRow | undefined> {
  const [row] = await tx.query<BlockRow>(
    `delete from risk_block_list where kind = $1 and value = $2
     returning kind, value, reason, created_by, created_at`,
    [kind, value],
  );
  return row;
}

export function selectBlockList(db: Queryable): Promise<BlockRow[]> {
  return db.query<BlockRow>(
    `select kind, value, reason, created_by, created_at
       from risk_block_list
      order by created_at desc, kind, value`,
  );
}
