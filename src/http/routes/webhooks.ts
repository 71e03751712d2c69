import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { webhookBodiesCutOff, webhooksReceived } from "../../metrics.ts";
import { ArrivingBodies } from "../arriving-bodies.ts";
import { clientAddress } from "../client-address.ts";
import type { App, HttpContext } from "../context.ts";
import { addressGroup } from "../rate-limit.ts";
import { storedReport, storedWebhook } from "../stored-webhook.ts";
import { problemResponses } from "../schemas/problem.ts";

const ok = Type.Object({ status: Type.Literal("ok") });

const mebibyte = 1_048_576;
/**
 * A PSP sends from few addresses, hundreds of small webhooks at once: bytes are limited, and never their
 * number.
 */
const body_limits = {
  body_bytes_max: mebibyte,
  sender_bytes_max: 16 * mebibyte,
  total_bytes_max: 32 * mebibyte,
};

/** Webhooks are verified over the raw bytes, stored once, answered, and applied later. */
export function registerWebhookRoutes(app: App, { inbox, router }: HttpContext): void {
  const bodies = new ArrivingBodies(body_limits, () => webhookBodiesCutOff.inc());
  app.addContentTypeParser("*", (request: FastifyRequest, payload: IncomingMessage) =>
    bodies.read(payload, addressGroup(clientAddress(request)), Number(request.headers["content-length"])),
  );

  app.post(
    "/payment-status",
    {
      // Before the body is read, as this route needs no key.
      onRequest: async () => assertExternal(router),
      schema: {
        operationId: "receivePaymentStatus",
        summary:
          "An external account reports how a payment ended (Standard Webhooks headers, signed with a " +
          "secret of the account)",
        security: [],
        response: { 200: ok, ...problemResponses },
      },
    },
    async (request) => {
      const body = bytesOf(request.body);
      // The signature alone identifies the sender; nothing in the body is parsed before.
      for (const psp of router.externalAccounts().keys()) {
        const webhook = router.get(psp).verifyWebhook(body, request.headers);
        if (webhook === undefined) continue;
        await inbox.store({ psp, ...storedReport(webhook, body) });
        return { status: "ok" as const };
      }
      return refuse("payment-status");
    },
  );

  app.post(
    "/:psp",
    {
      // Before the body is read, as this route needs no key.
      onRequest: async ({ params }) => assertPsp(router, params.psp),
      schema: {
        operationId: "receivePspWebhook",
        summary: "A PSP's own webhook, in its own signature scheme",
        params: Type.Object({ psp: Type.String({ minLength: 1, maxLength: 64 }) }),
        security: [],
        response: { 200: ok, ...problemResponses },
      },
    },
    async (request) => {
      const { psp } = request.params;
      const body = bytesOf(request.body);
      const webhook = router.get(psp).verifyWebhook(body, request.headers);
      if (webhook === undefined) refuse(psp);
      const stored = router.externalAccounts().has(psp) ? storedReport : storedWebhook;
      await inbox.store({ psp, ...stored(webhook, body) });
      return { status: "ok" as const };
    },
  );
}

function assertPsp(router: HttpContext["router"], psp: string): void {
  if (!router.has(psp))
    throw new AppError("not_found", "No PSP account of this name is configured.", { param: "psp" });
}

function assertExternal(router: HttpContext["router"]): void {
  if (router.externalAccounts().size === 0)
    throw new AppError("not_found", "No external account is configured.");
}

const bytesOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

function refuse(psp: string): never {
  webhooksReceived.inc({ psp, result: "refused" });
  throw new AppError(
    "signature_invalid",
    "The signature does not match, or the message's time is more than five minutes off.",
  );
}
