import { randomBytes } from "node:crypto";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import {
  checkoutView,
  selectCheckout,
  selectOrdersOfCheckouts,
  selectNextAction,
  createNextActionSealing,
} from "../../payments/payments.ts";
import { clientAddress } from "../client-address.ts";
import type { App, HttpContext } from "../context.ts";
import { addressGroup, createRateLimit } from "../rate-limit.ts";
import { clientId, nullable } from "../schemas/fields.ts";
import { problemResponses } from "../schemas/problem.ts";
import { assertStatusLink, noSuchLink } from "../status-link.ts";
import { closedLinkPage, statusOf, statusPage } from "../status-page.ts";

const params = Type.Object({ checkout_id: clientId() });
/** Other query parameters come from a redirect, and are ignored. */
const querystring = Type.Object({ token: Type.String({ minLength: 1, maxLength: 100 }) });

/** The page that shows a buyer the outcome of a payment; everybody with the link can see it. */
export function registerStatusPageRoutes(app: App, context: HttpContext): void {
  const { reads, clock, settings } = context;
  const sealing = createNextActionSealing(settings.secret_key);
  const limitRate = createRateLimit(settings.rate_limit_per_second);
  app.addHook("onRequest", async (request, reply) => limitRate(addressGroup(clientAddress(request)), reply));

  const find = async (checkoutId: string, token: string) => {
    const at = clock.now();
    assertStatusLink(settings.secret_key, checkoutId, token, at);
    const [event, orders, next] = await reads.snapshot((snapshot) =>
      Promise.all([
        selectCheckout(snapshot, checkoutId),
        selectOrdersOfCheckouts(snapshot, [checkoutId]),
        selectNextAction(snapshot, checkoutId, sealing, at),
      ]),
    );
    if (event === undefined) throw noSuchLink();
    if (event.status_link_revoked_at !== null)
      throw new AppError("link_expired", "The shop has revoked this link. Ask the shop about your payment.");
    return { checkout: checkoutView(event, orders), next };
  };

  app.get(
    "/pay/:checkout_id",
    { schema: { hide: true, params, querystring }, errorHandler: answerWithPage },
    async (request, reply) => {
      const { checkout, next } = await find(request.params.checkout_id, request.query.token);
      return sendPage(reply, (nonce) => statusPage(statusOf(checkout, next), checkout, nonce));
    },
  );

  app.get(
    "/pay/:checkout_id/state",
    {
      schema: {
        operationId: "getPaymentStatus",
        summary: "What a buyer's status page shows",
        security: [],
        params,
        querystring,
        response: {
          200: Type.Object({
            state: Type.String({
              description: "pending, action_needed, paid, partly_paid, failed, expired or canceled.",
            }),
            title: Type.String(),
            text: Type.String(),
            is_final: Type.Boolean(),
            next_url: nullable(
              Type.String({ description: "Where the buyer goes on: the payment page, or the bank's." }),
            ),
            next_label: nullable(Type.String()),
          }),
          ...problemResponses,
        },
      },
    },
    async (request, reply) => {
      reply.header("cache-control", "no-store");
      const { checkout, next } = await find(request.params.checkout_id, request.query.token);
      return statusOf(checkout, next);
    },
  );
}

/** Only our own scripts and styles run, and no referrer leaks the link. */
function sendPage(reply: FastifyReply, page: (nonce: string) => string): FastifyReply {
  const nonce = randomBytes(16).toString("base64");
  return reply
    .headers({
      "content-security-policy": [
        "default-src 'none'",
        `style-src 'nonce-${nonce}'`,
        `script-src 'nonce-${nonce}'`,
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join("; "),
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    })
    .type("text/html; charset=utf-8")
    .send(page(nonce));
}

/** A buyer with a wrong or expired link gets a readable page, not problem details. */
function answerWithPage(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const problem = error.validation === undefined ? error : noSuchLink();
  if (!(problem instanceof AppError) || (problem.code !== "not_found" && problem.code !== "link_expired"))
    throw error;
  sendPage(reply.code(problem.status), (nonce) => closedLinkPage(problem, nonce));
}
