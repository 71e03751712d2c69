import { Type } from "typebox";
import { nullable, timestamp } from "./fields.ts";
import { PaymentAttempt } from "./payment-attempt.ts";
import { PaymentOperation } from "./payment-operation.ts";
import { Transitions } from "./payment-order.ts";

export const DeadLetter = Type.Object(
  {
    object: Type.Literal("dead_letter"),
    dead_letter_id: Type.String(),
    queue: Type.String(),
    subject_id: Type.String(),
    kind: Type.String({ description: "work, reversal (of a booking) or discrepancy (with the PSP)." }),
    payload: Type.Record(Type.String(), Type.Unknown()),
    reason: Type.String(),
    attempt_count: Type.Integer(),
    state: Type.String({ description: "waiting, redriven or discarded." }),
    decided_by: nullable(Type.String()),
    decision_note: nullable(Type.String()),
    created_at: timestamp,
    decided_at: nullable(timestamp),
  },
  { $id: "DeadLetter" },
);

export const DeadLetterDetail = Type.Object(
  {
    ...DeadLetter.properties,
    history: Type.Object({
      payment_order_id: nullable(Type.String({ description: "null: webhooks that match no known order." })),
      transitions: Transitions,
      attempts: Type.Array(PaymentAttempt),
      operations: Type.Array(PaymentOperation),
      webhooks: Type.Array(
        Type.Object({
          message_id: Type.String(),
          psp: Type.String(),
          psp_event_id: Type.String(),
          type: Type.String(),
          state: Type.String({
            description: "received, applied, ignored, unmatched, unsupported, rejected or failed.",
          }),
          note: nullable(Type.String()),
          received_at: timestamp,
          processed_at: nullable(timestamp),
        }),
      ),
    }),
  },
  { $id: "DeadLetterDetail" },
);
