import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { toCurrencyCode } from "../../money/money.ts";
import { acceptedOperationView, operationView, selectOrder } from "../../payments/payments.ts";
import { readAmount } from "../amounts.ts";
import { authorOf } from "../auth.ts";
import type { App, HttpContext } from "../context.ts";
import { answerWork, requestFingerprint } from "../idempotency-key.ts";
import { NewCapture } from "../schemas/capture.ts";
import { clientId } from "../schemas/fields.ts";
import { idempotencyHeaders } from "../schemas/idempotency-headers.ts";
import { PaymentOperation } from "../schemas/payment-operation.ts";
import { problemResponses } from "../schemas/problem.ts";

export function registerCaptureRoutes(app: App, context: HttpContext): void {
  const { database, actions, jobs } = context;

  app.post(
    "/payments/:payment_order_id/capture",
    {
      config: { scope: "write" },
      schema: {
        operationId: "capturePayment",
        summary: "Capture all or part of an authorised order: 202 means stored and queued",
        headers: idempotencyHeaders,
        params: Type.Object({ payment_order_id: clientId() }),
        body: NewCapture,
        response: { 202: PaymentOperation, ...problemResponses },
      },
    },
    async (request, reply) => {
      const {
        params: { payment_order_id },
        body: { capture_id, amount, is_final = true },
      } = request;
      // An order's currency never changes, so it needs no lock to be read.
      const order = await selectOrder(database, payment_order_id);
      if (order === undefined)
        throw new AppError("not_found", `There is no payment order ${payment_order_id}.`, {
          param: "payment_order_id",
        });
      const amount_minor = amount === undefined ? null : amountOf(amount, order.currency);
      const fingerprint = requestFingerprint(request);
      await answerWork(context, request, reply, async (tx) => {
        const { operation, is_new } = await actions.capture(
          tx,
          payment_order_id,
          { capture_id, fingerprint, amount_minor, is_final },
          authorOf(request),
        );
        return { status: 202, body: acceptedOperationView(operation), is_replay: !is_new };
      });
      jobs.wake("operation_execute");
      return reply;
    },
  );

  app.post(
    "/operations/:operation_id/resolve",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "resolveOperation",
        summary:
          "Record the outcome of a capture or void that you saw at the PSP and that the PSP did not " +
          "report: 202 means stored and queued",
        headers: idempotencyHeaders,
        params: Type.Object({ operation_id: Type.String({ minLength: 1, maxLength: 64 }) }),
        body: Type.Object(
          {
            outcome: Type.String({ enum: ["succeeded", "failed"] }),
            note: Type.String({ minLength: 1, maxLength: 450, description: "How you know the outcome." }),
          },
          { additionalProperties: false },
        ),
        response: { 202: PaymentOperation, ...problemResponses },
      },
    },
    async (request, reply) => {
      const {
        params: { operation_id },
        body: { outcome, note },
      } = request;
      const isDone = outcome === "succeeded";
      const resolution = { outcome: isDone ? "succeeded" : "failed", note } as const;
      await answerWork(context, request, reply, async (tx) => {
        const { operation, is_new } = await actions.resolveOperation(
          tx,
          operation_id,
          resolution,
          authorOf(request),
        );
        return { status: 202, body: operationView(operation), is_replay: !is_new };
      });
      jobs.wake("operation_execute");
      return reply;
    },
  );
}

function amountOf(amount: string, currency: string): bigint {
  const read = readAmount(amount, toCurrencyCode(currency), "amount");
  if ("money" in read) return read.money.amount_minor;
  const { code, param, message } = read.error;
  throw new AppError(code, `${param} ${message}`, { param, errors: [read.error] });
}
