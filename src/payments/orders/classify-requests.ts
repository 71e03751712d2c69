import { AppError } from "../../errors.ts";
import { replayOf, textOfKey, type Answer, type AnswerRow } from "../../idempotency/idempotency.ts";
import type { KnownRows } from "../store/intake-queries.ts";
import type { IntakeRequest } from "./intake-rows.ts";

export type ClassifiedRequest =
  | { readonly answer: Answer }
  | { readonly refusal: AppError }
  | { readonly created: IntakeRequest }
  | { readonly repeats: IntakeRequest };

/**
 * Tells new checkouts from repeated and refused ones, in the order of arrival; earlier ones of the batch
 * count as known.
 */
export function classifyRequests(
  requests: readonly IntakeRequest[],
  answers: ReadonlyMap<string, AnswerRow>,
  known: KnownRows,
): ClassifiedRequest[] {
  const keys = new Map<string, string>();
  const events = new Map((known.events ?? []).map((event) => [event.checkout_id, event.request_fingerprint]));
  const owners = new Map((known.orders ?? []).map((order) => [order.payment_order_id, order.checkout_id]));
  return requests.map((request): ClassifiedRequest => {
    const { checkout, idempotency_key } = request;
    const fingerprint = request.fingerprint.toString("hex");
    const answerKey = idempotency_key === null ? null : textOfKey(idempotency_key);
    if (answerKey !== null) {
      const answer = answers.get(answerKey);
      if (answer !== undefined) return replay(answer, request.fingerprint);
      if ((keys.get(answerKey) ?? fingerprint) !== fingerprint) {
        return {
          refusal: new AppError(
            "idempotency_key_reused",
            "This Idempotency-Key was used before with a different request.",
            { param: "Idempotency-Key" },
          ),
        };
      }
    }
    const before = events.get(checkout.checkout_id);
    if (before !== undefined && before !== fingerprint) {
      return {
        refusal: new AppError(
          "checkout_id_reused",
          `The checkout ${checkout.checkout_id} was sent before with different content.`,
          { param: "checkout_id" },
        ),
      };
    }
    const taken = checkout.orders.findIndex(
      (order) => (owners.get(order.payment_order_id) ?? checkout.checkout_id) !== checkout.checkout_id,
    );
    if (taken >= 0) {
      const param = `payment_orders[${taken}][payment_order_id]`;
      return {
        refusal: new AppError("payment_order_id_in_use", "The order belongs to another checkout.", { param }),
      };
    }
    if (answerKey !== null) keys.set(answerKey, fingerprint);
    if (before !== undefined) return { repeats: request };
    events.set(checkout.checkout_id, fingerprint);
    for (const order of checkout.orders) owners.set(order.payment_order_id, checkout.checkout_id);
    return { created: request };
  });
}

function replay(answer: AnswerRow, fingerprint: Buffer): ClassifiedRequest {
  try {
    return { answer: replayOf(answer, fingerprint) };
  } catch (error) {
    if (error instanceof AppError) return { refusal: error };
    throw error;
  }
}
