import { Type } from "typebox";
import { nullable } from "./fields.ts";

export const UnresolvedOrder = Type.Object(
  {
    object: Type.Literal("unresolved_order"),
    payment_order_id: Type.String(),
    checkout_id: Type.String(),
    status: Type.String(),
    status_cause: Type.String(),
    status_since: Type.String({
      description:
        "When the order entered its state; for an authorised order, when its capture or void was requested.",
    }),
    status_age_seconds: Type.Integer(),
    psp: nullable(Type.String()),
    attempt_id: nullable(Type.String()),
    inquiry_count: nullable(
      Type.Integer({ description: "How many times the PSP was asked about the newest attempt." }),
    ),
    operation_id: nullable(Type.String({ description: "The open capture or void." })),
    operation_kind: nullable(Type.String()),
    operation_status: nullable(Type.String()),
    error_message: nullable(Type.String()),
    error_code: nullable(Type.String()),
    next_retry_at: nullable(Type.String()),
    attempt_status: nullable(Type.String()),
    resolved_as: nullable(
      Type.String({ description: "The resolution of the attempt; it takes effect at resolution_due_at." }),
    ),
    resolution_due_at: nullable(Type.String()),
    approval_id: nullable(
      Type.String({
        description: "The proposed resolution of the attempt, which waits for another key's approval.",
      }),
    ),
    dead_letter_id: nullable(Type.String({ description: "The open dead letter about it." })),
    dead_letter_kind: nullable(
      Type.String({
        description: "work, reversal or discrepancy. An order with a discrepancy starts no new attempt.",
      }),
    ),
    possible_actions: Type.Array(
      Type.Object({
        action: Type.String({
          description:
            "wait, review, cancel, redrive, discard, resolve_attempt, resolve_operation or approve; more " +
            "may come.",
        }),
        path: nullable(Type.String({ description: "The path to POST to, below /api/v1." })),
        reason: Type.String(),
      }),
      { description: "The possible actions, with reasons." },
    ),
    created_at: Type.String({ description: "When the order was accepted; the list is sorted by it." }),
  },
  { $id: "UnresolvedOrder" },
);
