import { AppError } from "../errors.ts";
import type { InboxMessage } from "../webhooks/webhooks.ts";
import { cardDataIn } from "./inspection/card-data.ts";
import { removed } from "./secrets-in-text.ts";
import { isPlainId, withoutSensitiveData } from "./sensitive-data.ts";

type VerifiedWebhook = Omit<InboxMessage, "psp" | "body">;

/**
 * A verified webhook as the inbox may keep it, its columns too. An event is stored once by its id, so one
 * whose id cannot be kept is refused: `card_number_refused`.
 */
export function storedWebhook(webhook: VerifiedWebhook, body: Buffer): VerifiedWebhook & { body: string } {
  const { psp_event_id, type, attempt_id, payment_order_id } = webhook;
  if (!isKept(psp_event_id.replaceAll(":", "_"))) throw refusal("id");
  return {
    psp_event_id,
    type: cardDataIn(type) === undefined ? type : removed,
    attempt_id: attempt_id !== null && isKept(attempt_id) ? attempt_id : null,
    payment_order_id: payment_order_id !== null && isKept(payment_order_id) ? payment_order_id : null,
    body: withoutSensitiveData(body.toString("utf8")),
  };
}

/**
 * The report of an external account: the caller chooses its ids, and the reference becomes the payment's.
 * Errors: `card_number_refused` with the field's name.
 */
export function storedReport(webhook: VerifiedWebhook, body: Buffer): VerifiedWebhook & { body: string } {
  const { psp_event_id, attempt_id, payment_order_id } = webhook;
  const fields: readonly (readonly [param: string, value: unknown])[] = [
    ["webhook-id", psp_event_id],
    ["attempt_id", attempt_id],
    ["payment_order_id", payment_order_id],
    ["reference", referenceIn(JSON.parse(body.toString("utf8")))],
  ];
  for (const [param, value] of fields)
    if (typeof value === "string" && cardDataIn(value) !== undefined) throw refusal(param);
  return storedWebhook(webhook, body);
}

const referenceIn = (report: unknown): unknown =>
  typeof report === "object" && report !== null && "reference" in report ? report.reference : undefined;

const isKept = (id: string): boolean => cardDataIn(id) === undefined || isPlainId(id);

const refusal = (param: string): AppError =>
  new AppError("card_number_refused", `${param} looks like card data; send another id of the payment.`, {
    param,
  });
