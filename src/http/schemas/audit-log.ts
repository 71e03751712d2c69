import { Type } from "typebox";
import { nullable, timestamp } from "./fields.ts";

const changedFields = nullable(
  Type.Record(Type.String(), Type.Unknown(), { description: "The changed fields." }),
);

export const AuditLogEntry = Type.Object(
  {
    object: Type.Literal("audit_log_entry"),
    audit_id: Type.String(),
    occurred_at: timestamp,
    actor: Type.String({ description: "key:<key_id> for an API key, cli:<user> for the command line." }),
    action: Type.String({ description: "<subject>.<verb>, such as payment_order.cancel; more may come." }),
    subject_type: Type.String(),
    subject_id: Type.String(),
    before: changedFields,
    after: changedFields,
    reason: nullable(Type.String({ description: "The reason that the person gave." })),
    request_id: nullable(Type.String({ description: "null for the command line." })),
  },
  { $id: "AuditLogEntry" },
);
