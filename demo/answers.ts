import { Type, type Static, type TSchema } from "typebox";

/** What the demo reads of the API's answers; other fields are ignored. */
const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);
const text = Type.String();

export const Accepted = Type.Object({
  payment_orders: Type.Array(
    Type.Object({ payment_order_id: text, seller_account: text, amount: text, currency: text, status: text }),
  ),
});

export const Problem = Type.Object({ code: text });

export const Checkout = Type.Object({ payment_event_status: text, is_payment_done: Type.Boolean() });

export const OrderDetail = Type.Object({
  payment_order_id: text,
  status: text,
  amount: text,
  currency: text,
  captured_amount: text,
  wallet_updated: Type.Boolean(),
  ledger_updated: Type.Boolean(),
  retry_count: Type.Integer(),
  error_code: nullable(text),
  psp_token: nullable(text),
  attempts: Type.Array(
    Type.Object({ status: text, psp_key: text, inquiry_count: Type.Integer(), failure_code: nullable(text) }),
  ),
  transitions: Type.Array(Type.Object({ to_status: text, cause: text, occurred_at: text })),
});
export type OrderDetail = Static<typeof OrderDetail>;

export const Orders = Type.Object({
  data: Type.Array(Type.Object({ payment_order_id: text, checkout_id: text, status: text })),
});

export const Wallets = Type.Object({
  data: Type.Array(
    Type.Object({
      account_id: text,
      balances: Type.Array(Type.Object({ currency: text, pending: text, available: text, total: text })),
    }),
  ),
});

export const Entries = Type.Object({
  data: Type.Array(
    Type.Object({
      transaction_id: text,
      transaction_kind: text,
      subject_id: text,
      account: text,
      debit: nullable(text),
      credit: nullable(text),
      currency: text,
    }),
  ),
});
export type Entry = Static<typeof Entries>["data"][number];

export const TrialBalance = Type.Object({
  is_balanced: Type.Boolean(),
  currencies: Type.Array(Type.Object({ currency: text, debit: text, credit: text, difference: text })),
});

export const AccountBalance = Type.Object({ balance: text });

/** What the simulator did, by its own books. */
export const Effects = Type.Object({ count: Type.Integer() });
export const EffectsSummary = Type.Object({
  charges: Type.Integer(),
  amount_by_currency: Type.Record(text, Type.Integer()),
  duplicate_orders: Type.Array(text),
});
