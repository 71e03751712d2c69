import { Type } from "typebox";
import { amount, currency, nullable, timestamp } from "./fields.ts";

export const Approval = Type.Object(
  {
    object: Type.Literal("approval"),
    approval_id: Type.String(),
    kind: Type.String({ description: "The kind of change: attempt_resolution; more may come." }),
    subject_id: Type.String({
      description: "The id of the object to change: for an attempt_resolution the attempt.",
    }),
    content: Type.Object(
      {
        outcome: nullable(Type.String({ description: "succeeded, authorized or failed." })),
        psp_reference: nullable(Type.String({ description: "The PSP's id of the charge." })),
        amount: nullable(amount),
        currency: nullable(currency),
        note: nullable(Type.String()),
        dead_letter_ids: nullable(
          Type.String({ description: "The dead letters that were read, separated by spaces." }),
        ),
      },
      { description: "The change that an approval carries out." },
    ),
    content_hash: Type.String({
      description: "SHA-256 of the stored content, in hexadecimal; sent with the approval.",
    }),
    state: Type.String({ description: "open, approved, rejected or expired." }),
    proposed_by: Type.String(),
    decided_by: nullable(Type.String()),
    decision_note: nullable(Type.String()),
    created_at: timestamp,
    expires_at: timestamp,
    decided_at: nullable(timestamp),
  },
  { $id: "Approval" },
);
