import { Type } from "typebox";
import { selectAudits, type AuditFilter, type AuditRow } from "../../audit/audit.ts";
import { AppError } from "../../errors.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { AuditLogEntry } from "../schemas/audit-log.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";

const time = Type.Optional(Type.String({ format: "date-time" }));
const name = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 64, description }));
const querystring = Type.Object(
  {
    ...pageQuery,
    actor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: "key:<key_id> or cli:<user>." }),
    ),
    action: name("Such as payment_order.cancel."),
    subject_type: name("With subject_id: what was changed, such as payment_order."),
    subject_id: Type.Optional(Type.String({ minLength: 1, maxLength: 400 })),
    "occurred_at[gte]": time,
    "occurred_at[lt]": time,
  },
  { additionalProperties: false },
);

export function registerAuditLogRoutes(app: App, { reads, settings }: HttpContext): void {
  const signingKey = cursorKey(settings.secret_key, "audit_log");

  app.get(
    "/audit_log",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "listAuditLog",
        summary: "Who changed what, newest first",
        querystring,
        response: { 200: listOf(AuditLogEntry), ...problemResponses },
      },
    },
    async (request) => {
      const {
        limit = 25,
        cursor,
        actor,
        action,
        subject_type,
        subject_id,
        "occurred_at[gte]": from,
        "occurred_at[lt]": until,
      } = request.query;
      const [occurred_at = "", audit_id = "0"] = cursor === undefined ? [] : decodeCursor(cursor, signingKey);
      const subject = subjectOf(subject_type, subject_id);
      const rows = await selectAudits(reads, {
        ...(actor === undefined ? {} : { actor }),
        ...(action === undefined ? {} : { action }),
        ...(subject === undefined ? {} : { subject }),
        ...(from === undefined ? {} : { occurred_from: from }),
        ...(until === undefined ? {} : { occurred_until: until }),
        ...(cursor === undefined ? {} : { before: { occurred_at, audit_id: BigInt(audit_id) } }),
        limit: limit + 1,
      });
      return pageOf(rows, limit, signingKey, view, (row) => [row.occurred_at, String(row.audit_id)]);
    },
  );
}

/** Ids are unique within a type only, and a type alone has no index. */
function subjectOf(type: string | undefined, id: string | undefined): AuditFilter["subject"] {
  if (type === undefined && id === undefined) return undefined;
  if (type !== undefined && id !== undefined) return { type, id };
  const missing = type === undefined ? "subject_type" : "subject_id";
  throw new AppError("invalid_request", `Send subject_type and subject_id together; ${missing} is missing.`, {
    param: missing,
  });
}

const view = ({ audit_id, ...row }: AuditRow) => ({
  object: "audit_log_entry" as const,
  audit_id: String(audit_id),
  ...row,
});
