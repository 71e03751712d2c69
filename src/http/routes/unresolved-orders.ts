import { Type } from "typebox";
import { possibleActions, selectUnresolved } from "../../payments/payments.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";
import { UnresolvedOrder } from "../schemas/unresolved-order.ts";

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
        description: "Operations that concern no order are not listed; there is no such kind yet.",
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
