import { cardOfNumber, cardOfTestMethod, cardOfToken, type Card } from "../cards.ts";
import type { Metadata } from "../records.ts";
import { AdyenError, invalidRequest } from "./adyen-error.ts";
import { isAdyenCurrency } from "./currencies.ts";
import type { Amount } from "./records.ts";

/** A decoded JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What a request to /payments asks for. */
export interface PaymentParams {
  amount: Amount;
  reference: string;
  card: Card;
  metadata: Metadata;
  manual_capture: boolean;
}

/**
 * Fields that change nothing here. Others are refused, so that none is ignored that would change where money
 * goes.
 */
const IGNORED = [
  "applicationInfo",
  "browserInfo",
  "captureDelayHours",
  "channel",
  "countryCode",
  "recurringProcessingModel",
  "returnUrl",
  "shopperEmail",
  "shopperIP",
  "shopperInteraction",
  "shopperLocale",
  "shopperReference",
] as const;
const PAYMENT_FIELDS: ReadonlySet<string> = new Set([
  "additionalData",
  "amount",
  "merchantAccount",
  "metadata",
  "paymentMethod",
  "reference",
  ...IGNORED,
]);
const METHOD_FIELDS: ReadonlySet<string> = new Set([
  "encryptedCardNumber",
  "encryptedExpiryMonth",
  "encryptedExpiryYear",
  "encryptedSecurityCode",
  "holderName",
  "storedPaymentMethodId",
  "type",
]);

/** The body as an object with known fields only; a field that is null counts as absent. */
export function objectOf(value: unknown, name: string, fields: ReadonlySet<string>): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidRequest("702", `Required object '${name}' is not provided.`);
  }
  const entries = Object.entries(value).filter(([, field]) => field !== null);
  const unknown = entries.map(([key]) => key).filter((key) => !fields.has(key));
  if (unknown.length > 0) {
    throw invalidRequest(
      "702",
      `Structure of ${name} contains the following unknown fields: [${unknown.join(", ")}]`,
    );
  }
  return Object.fromEntries(entries);
}

/** A text that must be there. */
export function textOf(object: JsonObject, field: string, errorCode = "702"): string {
  const value = object[field];
  if (typeof value === "string" && value !== "") return value;
  throw invalidRequest(errorCode, `Required field '${field}' is not provided.`);
}

/** A positive amount in a currency that Adyen lists. */
export function amountOf(value: unknown): Amount {
  const amount = objectOf(value, "Amount", new Set(["currency", "value"]));
  const currency = textOf(amount, "currency", "138");
  if (!isAdyenCurrency(currency)) throw invalidRequest("138", "Unsupported currency specified");
  const minor = amount["value"];
  if (typeof minor !== "number" || !Number.isSafeInteger(minor) || minor < 1) {
    throw invalidRequest("137", "Invalid amount specified");
  }
  return { currency, value: minor };
}

function manualCaptureOf(value: unknown): boolean {
  if (value === undefined) return false;
  const { manualCapture = "false" } = objectOf(value, "additionalData", new Set(["manualCapture"]));
  if (manualCapture === "true" || manualCapture === "false") return manualCapture === "true";
  throw invalidRequest("702", "The field 'additionalData.manualCapture' is neither 'true' nor 'false'.");
}

/** Refuses what is meant for another merchant. */
export function checkMerchant(request: JsonObject, merchantAccount: string): void {
  if (request["merchantAccount"] === merchantAccount) return;
  throw new AdyenError(403, "901", "Invalid Merchant Account", "security");
}

/** The merchant's own name for a payment or a modification. */
export function referenceOf(request: JsonObject): string {
  const reference = textOf(request, "reference", "130");
  if (reference.length <= 80) return reference;
  throw invalidRequest("130", "Field 'reference' may have at most 80 characters.");
}

/** Adyen keeps at most 20 pairs, of 20 and 80 characters. */
function metadataOf(value: unknown): Metadata {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null) {
    throw invalidRequest("702", "The field 'metadata' is not an object.");
  }
  const entries = Object.entries(value).map(([key, text]): [string, string] => {
    if (typeof text === "string" && key.length <= 20 && text.length <= 80) return [key, text];
    throw invalidRequest("177", `Metadata value of '${key}' is invalid`);
  });
  if (entries.length > 20) throw invalidRequest("176", "Metadata size exceeds limit");
  return Object.fromEntries(entries);
}

function cardOf(value: unknown): Card {
  const method = objectOf(value, "PaymentMethod", METHOD_FIELDS);
  if (method["type"] !== "scheme") throw invalidRequest("905", "Payment details are not supported");
  const token = method["storedPaymentMethodId"];
  if (typeof token === "string") {
    const card = cardOfToken(token) ?? cardOfTestMethod(token);
    if (card === undefined) throw invalidRequest("803", "PaymentDetail not found");
    return card;
  }
  const number = textOf(method, "encryptedCardNumber", "129").replace(/^test_/, "");
  const card = number === "4111111111111111" ? cardOfToken("tok_visa") : cardOfNumber(number);
  if (card === undefined) throw invalidRequest("101", "Invalid card number");
  return card;
}

/** Reads a body of /payments; throws Adyen's error for whatever is wrong with it. */
export function paymentParams(body: unknown, merchantAccount: string): PaymentParams {
  const request = objectOf(body, "PaymentRequest", PAYMENT_FIELDS);
  checkMerchant(request, merchantAccount);
  if (request["amount"] === undefined) throw invalidRequest("100", "No amount specified");
  const reference = referenceOf(request);
  return {
    amount: amountOf(request["amount"]),
    reference,
    manual_capture: manualCaptureOf(request["additionalData"]),
    card: cardOf(request["paymentMethod"]),
    metadata: metadataOf(request["metadata"]),
  };
}
