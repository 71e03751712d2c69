import { cardDataIn, isVerificationCodeName } from "./inspection/card-data.ts";

const removed = "[removed]";
/**
 * Every intent of Stripe's has a client secret, and nearly all have it in this form. Walking the parsed JSON
 * for it took 35 µs of each payment with webhooks on.
 */
const plainSecret = /(client_?secret"\s*:\s*)"[^"\\]*"/gi;
/** What the text alone cannot decide: another form of a secret, an action, or an escape, which hides any character. */
const mayHoldSecret = /client_?secret(?!"\s*:\s*(?:null|"\[removed\]"))|next_action(?!"\s*:\s*null)|\\u/i;

/**
 * The JSON text of a webhook as it may be stored. A signed webhook is not refused, because the PSP would
 * resend it for days: card data in it is removed, and so is what lets a reader act for the buyer (a client
 * secret, the address of a next action). Ids and references stay, even if they are only digits: they identify
 * the payment.
 */
export function withoutSensitiveData(json: string): string {
  const text = json.replace(plainSecret, `$1"${removed}"`);
  if (!mayHoldSecret.test(text) && cardDataIn(text) === undefined) return text;
  let isChanged = false;
  const kept: unknown = JSON.parse(text, (name, value: unknown) => {
    const safe = withoutSecret(name, value);
    if (safe !== value) isChanged = true;
    return safe;
  });
  return isChanged ? JSON.stringify(kept) : text;
}

function withoutSecret(name: string, value: unknown): unknown {
  if (name === "next_action") return kindOnly(value);
  if (/client_?secret$/i.test(name)) return value === null ? null : removed;
  if (typeof value !== "string" && typeof value !== "number") return value;
  const isSafe =
    isReference(name) || (!isVerificationCodeName(name) && cardDataIn(String(value)) === undefined);
  return isSafe ? value : removed;
}

/** Only what kind of step it is. */
function kindOnly(action: unknown): unknown {
  if (typeof action !== "object" || action === null) return action === null ? null : removed;
  return "type" in action ? { type: action.type } : {};
}

const isReference = (name: string): boolean =>
  /(^|_)id$|Id$|reference$|_key$|^payment_intent$|^object$/i.test(name);
