import { cardDataIn, isVerificationCodeName } from "./inspection/card-data.ts";

const removed = "[removed]";

/**
 * The JSON text of a webhook as it may be stored. A signed webhook is not refused, because the PSP would
 * resend it for days; card data in it is removed. Ids and references stay, even if they are only digits: they
 * identify the payment.
 */
export function withoutCardData(json: string): string {
  if (cardDataIn(json) === undefined) return json;
  let isChanged = false;
  const kept: unknown = JSON.parse(json, (name, value: unknown) => {
    if (typeof value !== "string" && typeof value !== "number") return value;
    if (isReference(name) || (!isVerificationCodeName(name) && cardDataIn(String(value)) === undefined)) return value;
    isChanged = true;
    return removed;
  });
  return isChanged ? JSON.stringify(kept) : json;
}

const isReference = (name: string): boolean => /(^|_)id$|Id$|reference$|_key$|^payment_intent$|^object$/i.test(name);
