import { cardDataIn, isVerificationCodeName } from "./inspection/card-data.ts";

const removed = "[removed]";

/**
 * The JSON text of a webhook as it may be stored. What a PSP signed is not refused, as it would be sent again for
 * days; card data in it is taken out. Ids and references stay: they may be digits only, and payments are found
 * by them.
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
