import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { checkoutView, orderView, selectEvent, selectOrdersOfCheckouts } from "../../payments/payments.ts";
import type { App, HttpContext } from "../context.ts";
import { answerAction } from "../idempotency-key.ts";
import { Checkout, PaymentOrder, problemResponses } from "../schemas.ts";

const params = Type.Object({ checkout_id: Type.String({ minLength: 1, maxLength: 255 }) });

export function registerCheckoutRoutes(app: App, context: HttpContext): void {
  const { database, actions, jobs } = context;

  app.get("/checkouts/:checkout_id", {
    schema: { operationId: "getCheckout", summary: "A checkout with its orders", params, response: { 200: Checkout, ...problemResponses } },
  }, async (request) => {
    const { checkout_id } = request.params;
    const event = await selectEvent(database, checkout_id);
    if (event === undefined) throw new AppError("not_found", `There is no checkout ${checkout_id}.`, { param: "checkout_id" });
    return checkoutView(event, await selectOrdersOfCheckouts(database, [checkout_id]));
  });

  app.post("/checkouts/:checkout_id/review", {
    config: { scope: "admin" },
    schema: {
      operationId: "reviewCheckout",
      summary: "Decide a checkout that the risk rules hold for review",
      params,
      body: Type.Object({ decision: Type.String({ enum: ["approve", "reject"] }) }, { additionalProperties: false }),
      response: { 200: Type.Object({ payment_orders: Type.Array(PaymentOrder) }), ...problemResponses },
    },
  }, async (request, reply) => {
    const decision = request.body.decision === "approve" ? "approve" : "reject";
    await answerAction(context, request, reply, async (tx) => ({
      payment_orders: (await actions.review(tx, request.params.checkout_id, decision, request.caller.actor)).map(orderView),
    }));
    jobs.wake("payment_execute");
    return reply;
  });
}
