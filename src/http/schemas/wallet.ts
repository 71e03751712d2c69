import { Type } from "typebox";
import { amount, currency, timestamp } from "./fields.ts";

export const Wallet = Type.Object(
  {
    object: Type.Literal("wallet"),
    account_id: Type.String(),
    balances: Type.Array(
      Type.Object({
        currency,
        pending: amount,
        available: amount,
        reserved: amount,
        in_payout: amount,
        debt: amount,
        total: amount,
      }),
    ),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "Wallet" },
);
