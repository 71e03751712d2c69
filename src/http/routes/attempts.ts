import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { isCurrencyCode, type Money } from "../../money/money.ts";
import { attemptView, letters_read_max, type AttemptResolution } from "../../payments/payments.ts";
import { readAmount } from "../amounts.ts";
import type { App, HttpContext } from "../context.ts";
import { answerWork } from "../idempotency-key.ts";
import { Approval } from "../schemas/approval.ts";
import { idempotencyHeaders } from "../schemas/idempotency-headers.ts";
import { PaymentAttempt } from "../schemas/payment-attempt.ts";
import { problemResponses } from "../schemas/problem.ts";
import { approvalView, requesterOf } from "./approvals.ts";

const seen = Type.Object(
  {
    outcome: Type.String({
      enum: ["succeeded", "authorized", "failed"],
      description:
        "succeeded: the PSP took the money. authorized: the PSP holds it, for an order with capture_method " +
        "manual. failed: neither, for good.",
    }),
    psp_reference: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: "The PSP's id of the charge; required unless it failed.",
      }),
    ),
    amount: Type.Optional(
      Type.String({
        maxLength: 50,
        description: "What the PSP shows; required unless it failed.",
        examples: ["29.99"],
      }),
    ),
    currency: Type.Optional(Type.String({ minLength: 3, maxLength: 3 })),
    note: Type.String({ minLength: 1, maxLength: 450, description: "How you know the outcome." }),
    dead_letter_ids: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
        maxItems: letters_read_max,
        description:
          "The dead letters about the attempt that you have read. Each that reports money must be among " +
          "them, because the resolution closes it.",
      }),
    ),
  },
  { additionalProperties: false },
);

export function registerAttemptRoutes(app: App, context: HttpContext): void {
  app.post(
    "/attempts/:attempt_id/resolve",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "resolveAttempt",
        summary:
          "Record the outcome of an undecided attempt that you saw at the PSP: 202 with the attempt, " +
          "or with an approval that another key must give",
        headers: idempotencyHeaders,
        params: Type.Object({ attempt_id: Type.String({ minLength: 1, maxLength: 64 }) }),
        body: seen,
        response: { 202: Type.Union([PaymentAttempt, Approval]), ...problemResponses },
      },
    },
    async (request, reply) => {
      const resolution = readResolution(request.body);
      return answerWork(context, request, reply, async (tx) => {
        const { attempt_id } = request.params;
        const resolved = await context.actions.resolveAttempt(
          tx,
          attempt_id,
          resolution,
          requesterOf(request),
        );
        const body =
          resolved.kind === "resolved" ? attemptView(resolved.attempt) : approvalView(resolved.approval);
        return { status: 202, body, is_replay: !resolved.is_new };
      });
    },
  );
}

export type Seen = {
  outcome: string;
  psp_reference?: string;
  amount?: string;
  currency?: string;
  note: string;
  dead_letter_ids?: readonly string[];
};

/** Errors: `invalid_request`, `invalid_amount`. */
export function readResolution(said: Seen): AttemptResolution {
  const { outcome, psp_reference, amount, currency, note, dead_letter_ids = [] } = said;
  // With a space it would be another id than the one that the PSP reports, and no attempt would have it yet.
  if (psp_reference !== undefined && psp_reference !== psp_reference.trim())
    throw invalid("psp_reference", "has white space around it: copy the id alone.");
  if (outcome === "failed") {
    for (const [param, value] of Object.entries({ amount, currency })) {
      if (value !== undefined)
        throw invalid(param, "is not allowed for an attempt that failed: leave it out.");
    }
    return { outcome, psp_reference: psp_reference ?? null, money: null, note, dead_letter_ids };
  }
  if (outcome !== "succeeded" && outcome !== "authorized") {
    throw invalid("outcome", "must be succeeded, authorized or failed.");
  }
  if (psp_reference === undefined)
    throw invalid("psp_reference", "is required: give the PSP's id of the charge.");
  return { outcome, psp_reference, money: readMoney(amount, currency), note, dead_letter_ids };
}

function readMoney(amount: string | undefined, currency: string | undefined): Money {
  if (amount === undefined) throw invalid("amount", "is required: give what the PSP shows.");
  if (currency === undefined || !isCurrencyCode(currency)) {
    throw invalid("currency", "is required: give a three-letter upper-case ISO 4217 code, such as EUR.");
  }
  const read = readAmount(amount, currency, "amount");
  if ("money" in read) return read.money;
  const { code, param, message } = read.error;
  throw new AppError(code, `${param} ${message}`, { param, errors: [read.error] });
}

function invalid(param: string, message: string): AppError {
  const errors = [{ param, code: "invalid_request" as const, message }];
  return new AppError("invalid_request", `${param} ${message}`, { param, errors });
}
