import type { FastifyReply, FastifyRequest } from "fastify";
import type { Transaction } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { answerOnce, fingerprintOf, type Answer, type AnswerKey } from "../idempotency/idempotency.ts";
import type { HttpContext } from "./context.ts";

/**
 * The Idempotency-Key of a request, of its API key, bare or quoted; null without one. Errors:
 * `idempotency_key_invalid`.
 */
export function idempotencyKeyOf(request: FastifyRequest): AnswerKey | null {
  const header = request.headers["idempotency-key"];
  if (header === undefined) return null;
  // Node joins headers of the same name with a comma, which may also be part of a key.
  if ((request.raw.headersDistinct["idempotency-key"]?.length ?? 0) > 1) {
    throw new AppError("idempotency_key_invalid", "Idempotency-Key was sent twice: send it once.", {
      param: "Idempotency-Key",
    });
  }
  const text = typeof header === "string" ? header.trim() : "";
  const key = text.startsWith('"') && text.endsWith('"') && text.length >= 2 ? text.slice(1, -1) : text;
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new AppError("idempotency_key_invalid", "Send 1 to 255 printable characters.", {
      param: "Idempotency-Key",
    });
  }
  return { key_id: request.caller.key_id, idempotency_key: key };
}

/** Recognises the same request when it comes again. */
export function requestFingerprint(request: FastifyRequest): Buffer {
  return fingerprintOf(request.method, (request.url.split("?")[0] ?? "").replace(/\/$/, ""), request.body);
}

/** Sends an answer byte for byte as it is stored. */
export function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  if (answer.is_replay) reply.header("idempotent-replayed", "true");
  // The stored text is sent as it is: a serializer would only be asked to print it once more.
  return reply
    .code(answer.status)
    .type("application/json; charset=utf-8")
    .serializer(String)
    .send(answer.body);
}

/** Runs a POST's work in one transaction, once per Idempotency-Key, and answers 200. */
export function answerAction(
  context: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
  work: (tx: Transaction) => Promise<unknown>,
): Promise<FastifyReply> {
  return answerWork(context, request, reply, async (tx) => ({ status: 200, body: await work(tx) }));
}

/** As above with a status of the work's own: 202 where a PSP must act first. */
export async function answerWork(
  context: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
  work: (tx: Transaction) => Promise<{ status: 200 | 202; body: unknown; is_replay?: boolean }>,
): Promise<FastifyReply> {
  let isKnown = false;
  const answer = await answerOnce(
    context.database,
    {
      key: idempotencyKeyOf(request),
      fingerprint: requestFingerprint(request),
      lifetime_hours: context.settings.idempotency_hours,
      at: context.clock.now(),
    },
    async (tx) => {
      const { is_replay, ...done } = await work(tx);
      isKnown = is_replay === true;
      return done;
    },
  );
  return sendAnswer(reply, isKnown ? { ...answer, is_replay: true } : answer);
}
