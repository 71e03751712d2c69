import { Type } from "typebox";
import { selectUnresolved } from "../../payments/payments.ts";
import type { App, HttpContext } from "../context.ts";
import { nullable, problemResponses } from "../schemas.ts";

const UnresolvedOrder = Type.Object({
  object: Type.Literal("unresolved_order"),
  payment_order_id: Type.String(), checkout_id: Type.String(), status: Type.String(), status_cause: Type.String(),
  status_since: Type.String(), status_age_seconds: Type.Integer(),
  psp: nullable(Type.String()), attempt_id: nullable(Type.String()),
  inquiry_count: nullable(Type.Integer({ description: "How often the PSP was asked about the newest attempt." })),
  error_message: nullable(Type.String()),
}, { $id: "UnresolvedOrder" });

/** What an operator looks at: what is not decided yet, and for how long. */
export function registerUnresolvedOrderRoutes(app: App, { database }: HttpContext): void {
  app.get("/unresolved_orders", {
    schema: {
      operationId: "listUnresolvedOrders",
      summary: "Orders that are not final, longest in their state first",
      querystring: Type.Object({
        seconds_min: Type.Optional(Type.String({ pattern: "^[0-9]{1,7}$", description: "Only those at least so long in their state." })),
        limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
      }),
      response: { 200: Type.Object({ object: Type.Literal("list"), data: Type.Array(UnresolvedOrder) }), ...problemResponses },
    },
  }, async (request) => {
    const rows = await selectUnresolved(database, { seconds_min: Number(request.query.seconds_min ?? 0), limit: request.query.limit });
    return { object: "list" as const, data: rows.map((row) => ({ object: "unresolved_order" as const, ...row })) };
  });
}
