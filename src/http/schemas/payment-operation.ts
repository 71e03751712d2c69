import { Type } from "typebox";
import { amount, currency, nullable, timestamp } from "./fields.ts";

export const PaymentOperation = Type.Object(
  {
    object: Type.Literal("payment_operation"),
    operation_id: Type.String(),
    kind: Type.String({ description: "capture, or void, which releases what is left." }),
    capture_id: nullable(Type.String()),
    payment_order_id: nullable(Type.String({ description: "null: every order of a hosted page." })),
    attempt_id: nullable(Type.String({ description: "null: it concerns no charge." })),
    amount: nullable(amount),
    currency,
    is_final: Type.Boolean({ description: "Whether the rest is released after this capture." }),
    void_cause: nullable(Type.String({ description: "canceled, expired or declined." })),
    status: Type.String({
      description: "queued, executing, pending (the PSP has accepted it), unknown, succeeded or failed.",
    }),
    psp_reference: nullable(Type.String()),
    failure_code: nullable(Type.String()),
    failure_message: nullable(Type.String()),
    resolution: nullable(
      Type.Object(
        {
          outcome: Type.String({ description: "succeeded or failed." }),
          note: Type.String(),
          actor: Type.String(),
        },
        { description: "The outcome that a person saw at the PSP." },
      ),
    ),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "PaymentOperation" },
);
