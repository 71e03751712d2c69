import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { checkoutView, orderView, selectCheckout, selectOrdersOfCheckouts } from "../../payments/payments.ts";
import { authorOf } from "../auth.ts";
import type { App, HttpContext } from "../context.ts";
import { answerAction, answerWork } from "../idempotency-key.ts";
import { statusUrl } from "../status-link.ts";
import { Checkout } from "../schemas/checkout.ts";
import { clientId } from "../schemas/fields.ts";
import { idempotencyHeaders } from "../schemas/idempotency-headers.ts";
import { PaymentOrder } from "../schemas/payment-order.ts";
import { problemResponses } from "../schemas/problem.ts";

const PaymentOrders = Type.Object({ payment_orders: Type.Array(PaymentOrder) });
const params = Type.Object({ checkout_id: clientId() });

export function registerCheckoutRoutes(app: App, context: HttpContext): void {
  const { reads, actions, jobs, settings } = context;

  app.get(
    "/checkouts/:checkout_id",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getCheckout",
        summary: "A checkout with its orders",
        params,
        response: { 200: Checkout, ...problemResponses },
      },
    },
    async (request) => {
      const { checkout_id } = request.params;
      const [event, orders] = await reads.snapshot((snapshot) =>
        Promise.all([
          selectCheckout(snapshot, checkout_id),
          selectOrdersOfCheckouts(snapshot, [checkout_id]),
        ]),
      );
      if (event === undefined)
        throw new AppError("not_found", `There is no checkout ${checkout_id}.`, { param: "checkout_id" });
      return {
        ...checkoutView(event, orders),
        status_url: event.status_link_revoked_at === null ? statusUrl(settings, event) : null,
      };
    },
  );

  app.post(
    "/checkouts/:checkout_id/cancel",
    {
      config: { scope: "write" },
      schema: {
        operationId: "cancelCheckout",
        summary:
          "Cancel every order that can be canceled, and close the page: 200 if done at once, 202 if the " +
          "PSP must first release something",
        headers: idempotencyHeaders,
        params,
        response: { 200: PaymentOrders, 202: PaymentOrders, ...problemResponses },
      },
    },
    async (request, reply) => {
      await answerWork(context, request, reply, async (tx) => {
        const { orders, is_under_way } = await actions.cancelCheckout(
          tx,
          request.params.checkout_id,
          authorOf(request),
        );
        return { status: is_under_way ? 202 : 200, body: { payment_orders: orders.map(orderView) } };
      });
      jobs.wake("operation_execute");
      return reply;
    },
  );

  app.post(
    "/checkouts/:checkout_id/revoke_status_link",
    {
      config: { scope: "write" },
      schema: {
        operationId: "revokeStatusLink",
        summary: "Revoke the links to the buyer's status page permanently",
        headers: idempotencyHeaders,
        params,
        response: {
          200: Type.Object({ checkout_id: Type.String(), status_link_revoked_at: Type.String() }),
          ...problemResponses,
        },
      },
    },
    async (request, reply) =>
      answerAction(context, request, reply, async (tx) => {
        const { checkout_id } = request.params;
        return {
          checkout_id,
          status_link_revoked_at: await actions.revokeStatusLink(tx, checkout_id, authorOf(request)),
        };
      }),
  );

  app.post(
    "/checkouts/:checkout_id/review",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "reviewCheckout",
        summary: "Approve or reject a checkout that the risk rules hold for review",
        params,
        body: Type.Object(
          { decision: Type.String({ enum: ["approve", "reject"] }) },
          { additionalProperties: false },
        ),
        response: { 200: PaymentOrders, ...problemResponses },
      },
    },
    async (request, reply) => {
      const decision = request.body.decision === "approve" ? "approve" : "reject";
      const { checkout_id } = request.params;
      await answerAction(context, request, reply, async (tx) => {
        const orders = await actions.review(tx, checkout_id, decision, authorOf(request));
        return { payment_orders: orders.map(orderView) };
      });
      jobs.wake("payment_execute");
      return reply;
    },
  );
}
