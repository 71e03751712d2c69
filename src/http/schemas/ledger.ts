import { Type } from "typebox";
import { amount, currency, nullable, timestamp } from "./fields.ts";

export const LedgerEntry = Type.Object(
  {
    object: Type.Literal("ledger_entry"),
    entry_id: Type.String({ description: "A UUID." }),
    transaction_id: Type.String(),
    transaction_kind: Type.String({ description: "What the transaction does: captured, reversed, …" }),
    subject_type: Type.String({ description: "What it is about, such as order." }),
    subject_id: Type.String({ description: "Such as the order's id." }),
    part: nullable(
      Type.String({ description: "Which of several of one kind about one subject, such as a capture's id." }),
    ),
    account: Type.String(),
    account_id: nullable(Type.String({ description: "The account's owner, such as the seller." })),
    debit: nullable(amount),
    credit: nullable(amount),
    entry_type: Type.String({ description: "debit or credit." }),
    currency,
    balance_after: Type.String({ description: "In the account's normal direction." }),
    description: nullable(Type.String()),
    effective_at: timestamp,
    created_at: timestamp,
  },
  { $id: "LedgerEntry" },
);

export const LedgerAccount = Type.Object(
  {
    object: Type.Literal("ledger_account"),
    account: Type.String(),
    account_id: nullable(Type.String()),
    kind: Type.String({ description: "asset, liability, revenue, expense or equity." }),
    role: Type.String({ description: "What it is for, such as seller_pending or psp_clearing." }),
    currency,
    balance: Type.String({ description: "In the account's normal direction." }),
    entry_count: Type.String(),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "LedgerAccount" },
);

export const TrialBalance = Type.Object(
  {
    object: Type.Literal("trial_balance"),
    is_balanced: Type.Boolean(),
    currencies: Type.Array(
      Type.Object({
        currency,
        debit: amount,
        credit: amount,
        difference: Type.String(),
        account_count: Type.String(),
      }),
    ),
  },
  { $id: "TrialBalance" },
);

export const AccountBalance = Type.Object(
  {
    object: Type.Literal("ledger_balance"),
    account: Type.String(),
    currency,
    balance: Type.String(),
    at: nullable(timestamp),
    basis: Type.String({ description: "booked: by when it was written; effective: by when it happened." }),
    is_final: Type.Boolean({ description: "It will never be another one." }),
    booked_at: nullable(
      Type.String({
        format: "date-time",
        description: "The time of the snapshot that answers; then it is final.",
      }),
    ),
  },
  { $id: "AccountBalance" },
);
