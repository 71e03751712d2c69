import { Type } from "typebox";
import { possibleActions, selectUnresolved } from "../../payments/payments.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { nullable } from "../schemas/fields.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";

const UnresolvedOrder = Type.Object(
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
            "wait, review, cancel, redrive, discard, resolve_attempt, resolve_operation or approve; more may come.",
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

/** For operators: what is not decided yet, and for how long. */
export function registerUnresolvedOrderRoutes(
  app: App,
  { reads, router, clock, settings }: HttpContext,
): void {
  const signingKey = cursorKey(settings.secret_key, "unresolved_orders");

  app.get(
    "/unresolved_orders",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listUnresolvedOrders",
        summary: "Orders without a final outcome, or with an open capture or void, oldest order first",
        querystring: Type.Object(
          {
            ...pageQuery,
            seconds_min: Type.Optional(
              Type.String({
                pattern: "^[0-9]{1,7}$",
                description: "Only orders that have waited at least this many seconds.",
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: listOf(UnresolvedOrder), ...problemResponses },
      },
    },
    async (request) => {
      const { limit = 25, cursor, seconds_min = "0" } = request.query;
      const [created_at = "", payment_order_id = ""] =
        cursor === undefined ? [] : decodeCursor(cursor, signingKey);
      const rows = await selectUnresolved(reads, {
        at: clock.now(),
        seconds_min: Number(seconds_min),
        limit: limit + 1,
        ...(cursor === undefined ? {} : { after: { created_at, payment_order_id } }),
      });
      return pageOf(
        rows,
        limit,
        signingKey,
        (row) => ({
          object: "unresolved_order" as const,
          ...row,
          possible_actions: possibleActions(row, {
            is_configured: row.psp === null || router.has(row.psp),
            reports_by_itself: row.psp !== null && router.isExternal(row.psp),
          }),
        }),
        (row) => [row.created_at, row.payment_order_id],
      );
    },
  );
}
