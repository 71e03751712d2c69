import { Type } from "typebox";
import { nullable, timestamp } from "./fields.ts";

export const PaymentAttempt = Type.Object(
  {
    object: Type.Literal("payment_attempt"),
    attempt_id: Type.String(),
    attempt_number: Type.Integer(),
    psp: Type.String(),
    psp_key: Type.String({ description: "The idempotency key at the PSP." }),
    psp_reference: nullable(Type.String()),
    status: Type.String(),
    inquiry_count: Type.Integer(),
    psp_call_ms: nullable(Type.Number()),
    failure_class: nullable(
      Type.String({
        description:
          "hard_decline, transient_decline, rate_limited, unreachable or invalid_request: whether a new " +
          "attempt follows automatically (docs/causes.md).",
      }),
    ),
    failure_code: nullable(Type.String()),
    failure_message: nullable(Type.String()),
    page_token: nullable(Type.String({ description: "The PSP's id of the hosted page." })),
    page_expires_at: nullable(timestamp),
    authorization_expires_at: nullable(
      Type.String({
        description: "The deadline for capturing the authorisation; after it the authorisation is voided.",
      }),
    ),
    resolution: nullable(
      Type.Object(
        {
          outcome: Type.String({ description: "succeeded, authorized or failed." }),
          psp_reference: nullable(Type.String()),
          note: nullable(Type.String()),
          actor: nullable(Type.String()),
          due_at: nullable(timestamp),
        },
        {
          description:
            "The outcome that a person saw at the PSP. It takes effect at due_at, when no call to the PSP " +
            "can still be in flight.",
        },
      ),
    ),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "PaymentAttempt" },
);
