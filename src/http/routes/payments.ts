import { Type } from "typebox";
import type { Queryable } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import {
  attemptView,
  commissionView,
  createNextActionSealing,
  operationView,
  orderView,
  selectAttempts,
  selectCommissions,
  selectOperations,
  selectNextActionOfOrder,
  selectOrder,
  selectOrders,
  selectReferences,
  selectTransitions,
  type OrderRow,
} from "../../payments/payments.ts";
import { authorOf } from "../auth.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { assertNarrowed } from "../narrowed-filter.ts";
import { answerAction, answerWork } from "../idempotency-key.ts";
import { clientId } from "../schemas/fields.ts";
import { idempotencyHeaders } from "../schemas/idempotency-headers.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { PaymentOrder, PaymentOrderDetail } from "../schemas/payment-order.ts";
import { problemResponses } from "../schemas/problem.ts";

const params = Type.Object({ payment_order_id: clientId() });
const time = Type.Optional(Type.String({ format: "date-time" }));
const statuses = [
  "NOT_STARTED",
  "EXECUTING",
  "PENDING",
  "UNKNOWN",
  "RETRY_SCHEDULED",
  "AUTHORIZED",
  "SUCCESS",
  "FAILED",
  "CANCELED",
];

export function registerPaymentRoutes(app: App, context: HttpContext): void {
  const { reads, actions, jobs, clock, settings } = context;
  const signingKey = cursorKey(settings.secret_key, "payments");
  const sealing = createNextActionSealing(settings.secret_key);

  const attemptsWithStep = async (snapshot: Queryable, id: string) => {
    const attempts = await selectAttempts(snapshot, id);
    return [attempts, await selectNextActionOfOrder(snapshot, attempts, sealing, clock.now())] as const;
  };

  app.get(
    "/payments",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listPayments",
        summary: "Payment orders, newest first",
        description: "`currency` also needs a seller, a buyer, a checkout or `created_at[gte]`.",
        querystring: Type.Object(
          {
            ...pageQuery,
            status: Type.Optional(Type.String({ enum: statuses })),
            currency: Type.Optional(Type.String({ pattern: "^[A-Z]{3}$" })),
            seller_account: Type.Optional(clientId()),
            buyer_account: Type.Optional(clientId()),
            checkout_id: Type.Optional(clientId()),
            "created_at[gte]": time,
            "created_at[lt]": time,
          },
          { additionalProperties: false },
        ),
        response: { 200: listOf(PaymentOrder), ...problemResponses },
      },
    },
    async (request) => {
      assertNarrowed(request.query, ["seller_account", "buyer_account", "checkout_id", "created_at[gte]"]);
      const {
        limit = 25,
        cursor,
        "created_at[gte]": created_from,
        "created_at[lt]": created_until,
        ...filters
      } = request.query;
      const [created_at = "", id = ""] = cursor === undefined ? [] : decodeCursor(cursor, signingKey);
      const rows = await selectOrders(reads, {
        ...filters,
        ...(created_from === undefined ? {} : { created_from }),
        ...(created_until === undefined ? {} : { created_until }),
        ...(cursor === undefined ? {} : { before: { created_at, id } }),
        limit: limit + 1,
      });
      return pageOf(rows, limit, signingKey, orderView, (row: OrderRow) => [
        row.created_at,
        row.payment_order_id,
      ]);
    },
  );

  app.get(
    "/payments/:payment_order_id",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getPayment",
        summary:
          "One payment order with its attempts and operations, the PSP's ids, its commissions and its history",
        params,
        response: { 200: PaymentOrderDetail, ...problemResponses },
      },
    },
    async (request) => {
      const { payment_order_id } = request.params;
      // One snapshot: with separate reads an order was EXECUTING with a history that ended in SUCCESS.
      const [order, [attempts, next_action], operations, references, commissions, transitions] =
        await reads.snapshot((snapshot) =>
          Promise.all([
            selectOrder(snapshot, payment_order_id),
            attemptsWithStep(snapshot, payment_order_id),
            selectOperations(snapshot, payment_order_id),
            selectReferences(snapshot, payment_order_id),
            selectCommissions(snapshot, payment_order_id),
            selectTransitions(snapshot, payment_order_id),
          ]),
        );
      if (order === undefined)
        throw new AppError("not_found", `There is no payment order ${payment_order_id}.`, {
          param: "payment_order_id",
        });
      return {
        ...orderView(order),
        next_action,
        attempts: attempts.map(attemptView),
        operations: operations.map(operationView),
        references,
        commissions: commissions.map(commissionView),
        transitions,
      };
    },
  );

  app.post(
    "/payments/:payment_order_id/retry",
    {
      config: { scope: "write" },
      // Another card may be given or not, and with it the whole body.
      preValidation: async (request) => {
        request.body ??= {};
      },
      schema: {
        operationId: "retryPayment",
        summary: "Start a new attempt for a failed order, with another card if one is given",
        headers: idempotencyHeaders,
        params,
        body: Type.Object(
          {
            card_token: Type.Optional(
              Type.String({
                minLength: 1,
                maxLength: 255,
                description: "The PSP's token of another card, never a card number.",
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: PaymentOrder, ...problemResponses },
      },
    },
    async (request, reply) => {
      const {
        params: { payment_order_id },
        body: { card_token },
      } = request;
      await answerAction(context, request, reply, async (tx) =>
        orderView(await actions.retry(tx, payment_order_id, authorOf(request), card_token)),
      );
      jobs.wake("payment_execute");
      return reply;
    },
  );

  app.post(
    "/payments/:payment_order_id/cancel",
    {
      config: { scope: "write" },
      schema: {
        operationId: "cancelPayment",
        summary:
          "Cancel an order: 200 if done at once, 202 if the PSP must first release an authorisation or a " +
          "payment that waits for its buyer",
        headers: idempotencyHeaders,
        params,
        response: { 200: PaymentOrder, 202: PaymentOrder, ...problemResponses },
      },
    },
    async (request, reply) => {
      await answerWork(context, request, reply, async (tx) => {
        const { order, is_under_way } = await actions.cancel(
          tx,
          request.params.payment_order_id,
          authorOf(request),
        );
        return { status: is_under_way ? 202 : 200, body: orderView(order) };
      });
      jobs.wake("operation_execute");
      return reply;
    },
  );
}
