import type pg from "pg";

interface EffectRow {
  id: string;
  kind: string;
  payment_intent: string;
  charge: string;
  amount_minor: number;
  currency: string;
  card: string;
  metadata: Record<string, string>;
  created_at: Date;
}

const MAX_ROWS = 1_000;

/** Amounts per currency, as JSON integers of minor units. */
export type AmountByCurrency = Record<string, number>;

function amounts(rows: readonly { currency: string; amount_minor: string }[]): AmountByCurrency {
  return Object.fromEntries(
    rows.map(({ currency, amount_minor }) => {
      const amount = Number(amount_minor);
      if (!Number.isSafeInteger(amount)) throw new Error(`the ${currency} total does not fit a JSON integer`);
      return [currency, amount];
    }),
  );
}

function conditions(filters: ReadonlyMap<string, string>): { where: string; values: string[] } {
  const values: string[] = [];
  const parts = [...filters].map(([key, value]) => {
    // The two keys that have an index are written out, the others are compared by a parameter.
    const name = key === "payment_order_id" || key === "checkout_id" ? `'${key}'` : `$${values.push(key)}`;
    if (key === "payment_intent" || key === "charge" || key === "currency") {
      values.pop();
      return `${key} = $${values.push(value)}`;
    }
    return `metadata ->> ${name} = $${values.push(value)}`;
  });
  return { where: parts.length === 0 ? "true" : parts.join(" and "), values };
}

/**
 * The real movements of money that match: by metadata (`payment_order_id`, `checkout_id`, any other key) or
 * by `payment_intent`, `charge`, `currency`. `count` and the sums cover all of them, `data` the newest 1,000.
 */
export async function findEffects(pool: pg.Pool, filters: ReadonlyMap<string, string>): Promise<unknown> {
  const { where, values } = conditions(filters);
  const { rows: sums } = await pool.query<{ currency: string; amount_minor: string; count: string }>(
    `select currency, sum(amount_minor)::text as amount_minor, count(*)::text as count
     from simulator.effects where ${where} group by currency order by currency`,
    values,
  );
  const { rows: data } = await pool.query<EffectRow>(
    `select id::text, kind, payment_intent, charge, amount_minor::float8 as amount_minor, currency, card, metadata,
       created_at from simulator.effects where ${where} order by effects.id desc limit ${MAX_ROWS}`,
    values,
  );
  return {
    object: "list",
    count: sums.reduce((total, row) => total + Number(row.count), 0),
    amount_by_currency: amounts(sums),
    has_more: data.length === MAX_ROWS,
    data,
  };
}

/**
 * How many movements there were, their sums, and every payment order that was charged more than once. The
 * captures of one authorisation are parts of one charge: they are bounded by what was authorised.
 */
export async function effectsSummary(pool: pg.Pool): Promise<unknown> {
  const { rows: sums } = await pool.query<{ currency: string; amount_minor: string; count: string }>(
    `select currency, sum(amount_minor)::text as amount_minor, count(*)::text as count
     from simulator.effects group by currency order by currency`,
  );
  const { rows: duplicates } = await pool.query<{ payment_order_id: string }>(
    `select metadata ->> 'payment_order_id' as payment_order_id from simulator.effects
     where metadata ->> 'payment_order_id' is not null group by 1
     having count(distinct payment_intent) > 1 or count(*) filter (where kind = 'charge_succeeded') > 1
     order by 1 limit ${MAX_ROWS}`,
  );
  return {
    charges: sums.reduce((total, row) => total + Number(row.count), 0),
    amount_by_currency: amounts(sums),
    duplicate_orders: duplicates.map((row) => row.payment_order_id),
  };
}
