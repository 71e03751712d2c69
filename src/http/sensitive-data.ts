import { cardDataIn, isVerificationCodeName } from "./inspection/card-data.ts";

const removed = "[removed]";
/** Names are matched in the JSON text, where an escape may hide any character. */
const mayHoldSecret = /client_?secret|next_action|\\u/i;

/**
 * The JSON text of a webhook as it may be stored. A signed webhook is not refused, because the PSP would
 * resend it for days: card data in it is removed, and so is what lets a reader act for the buyer (a client
 * secret, the address of a next action). Ids and references stay, even if they are only digits: they identify
 * the payment.
 */
export function withoutSensitiveData(json: string): string {
  if (!mayHoldSecret.test(json) && cardDataIn(json) === undefined) return json;
  let isChanged = false;
  const kept: unknown = JSON.parse(json, (name, value: unknown) => {
    const safe = withoutSecret(name, value);
    if (safe !== value) isChanged = true;
    return safe;
  });
  return isChanged ? JSON.stringify(kept) : json;
}

function withoutSecret(name: string, value: unknown): unknown {
  if (name === "next_action") return kindOnly(value);
  if (typeof value !== "string" && typeof value !== "number") return value;
  if (/client_?secret$/i.test(name)) return removed;
  const isSafe = isReference(name) || (!isVerificationCodeName(name) && cardDataIn(String(value)) === undefined);
  return isSafe ? value : removed;
}

/** Only what kind of step it is. */
function kindOnly(action: unknown): unknown {
  if (typeof action !== "object" || action === null) return action === null ? null : removed;
  return "type" in action ? { type: action.type } : {};
}

const isReference = (name: string): boolean => /(^|_)id$|Id$|reference$|_key$|^payment_intent$|^object$/i.test(name);
