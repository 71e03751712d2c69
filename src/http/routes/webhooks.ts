import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { paymentStatusPsp, readPaymentStatus } from "../../webhooks/webhooks.ts";
import { webhooksReceived } from "../../metrics.ts";
import type { App, HttpContext } from "../context.ts";
import { problemResponses } from "../schemas.ts";

const ok = Type.Object({ status: Type.Literal("ok") });

/** Webhooks are verified over the raw bytes, stored once, answered, and applied later. */
export function registerWebhookRoutes(app: App, { inbox, router, verifyPaymentStatus }: HttpContext): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.post("/payment-status", {
    schema: {
      operationId: "receivePaymentStatus",
      summary: "A PSP without an adapter reports a payment (Standard Webhooks headers, secret PSP_WEBHOOK_SECRET)",
      security: [],
      response: { 200: ok, ...problemResponses },
    },
  }, async (request) => {
    const body = bytesOf(request.body);
    const psp_event_id = verifyPaymentStatus(body, request.headers);
    if (psp_event_id === undefined) refuse(paymentStatusPsp);
    const status = readPaymentStatus(body.toString("utf8"));
    if ("malformed" in status) throw new AppError("invalid_request", `${status.malformed} is missing or malformed.`, { param: status.malformed });
    await inbox.store({
      psp: paymentStatusPsp, psp_event_id, type: `payment.${status.status}`, attempt_id: null,
      payment_order_id: status.payment_order_id, body: body.toString("utf8"),
    });
    return { status: "ok" as const };
  });

  app.post("/:psp", {
    // Before the body is read, as this route needs no key.
    onRequest: async ({ params }) => assertPsp(router, params.psp),
    schema: {
      operationId: "receivePspWebhook",
      summary: "A PSP's own webhook, in its own signature scheme",
      params: Type.Object({ psp: Type.String({ minLength: 1, maxLength: 64 }) }),
      security: [],
      response: { 200: ok, ...problemResponses },
    },
  }, async (request) => {
    const { psp } = request.params;
    const body = bytesOf(request.body);
    const webhook = router.get(psp).verifyWebhook(body, request.headers);
    if (webhook === undefined) refuse(psp);
    await inbox.store({ psp, ...webhook, body: body.toString("utf8") });
    return { status: "ok" as const };
  });
}

function assertPsp(router: HttpContext["router"], psp: string): void {
  if (!router.has(psp)) throw new AppError("not_found", "No PSP account of this name is configured.", { param: "psp" });
}

const bytesOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

function refuse(psp: string): never {
  webhooksReceived.inc({ psp, result: "refused" });
  throw new AppError("signature_invalid", "The signature does not fit, or the message is older than five minutes.");
}
