import { cardOfNumber, type Card } from "./cards.ts";
import type { FormMap } from "./form.ts";

export const CARD_FIELDS = ["number", "expiry", "cvc", "name"] as const;
export type CardField = (typeof CARD_FIELDS)[number];
export type FieldErrors = Readonly<Partial<Record<CardField, string>>>;

const NAME_MAX = 200;

/** What may be shown again after a refusal: never the number or the code. */
export interface ShownAgain {
  expiry: string;
  name: string;
}

export type CardEntry =
  | { kind: "card"; card: Card; name: string; again: ShownAgain }
  | { kind: "faulty"; errors: FieldErrors; again: ShownAgain };

function field(params: FormMap, name: CardField): string {
  const value = params.get(name);
  return typeof value === "string" ? value.trim() : "";
}

function nameOf(params: FormMap): string {
  const name = field(params, "name")
    .replaceAll(/\p{Cc}/gu, "")
    .slice(0, NAME_MAX);
  // A name is kept: a card number typed into the wrong field must not be.
  return /\d{8}/.test(name.replaceAll(/[ -]/g, "")) ? "" : name;
}

function passesLuhn(digits: string): boolean {
  const sum = digits
    .split("")
    .toReversed()
    .reduce((total, character, index) => {
      const digit = Number(character) * (index % 2 === 0 ? 1 : 2);
      return total + (digit > 9 ? digit - 9 : digit);
    }, 0);
  return sum % 10 === 0;
}

function numberError(text: string): string {
  if (text === "") return "Enter a test card number.";
  const digits = text.replaceAll(/[ -]/g, "");
  if (!/^\d{12,19}$/.test(digits)) return "A card number has 12 to 19 digits.";
  if (!passesLuhn(digits)) return "This card number is not valid: check it for a typing error.";
  return "This is not a test card. The simulator takes no real cards: never enter one here. Nothing was stored.";
}

function expiryError(text: string, nowMs: number): string | undefined {
  if (text === "") return "Enter the expiry date.";
  const match = /^(\d{1,2})\s*[/-]?\s*(\d{2}|\d{4})$/.exec(text);
  const month = Number(match?.[1]);
  const year = Number(match?.[2]) + (match?.[2]?.length === 2 ? 2_000 : 0);
  if (match === null || month < 1 || month > 12)
    return "Enter the expiry date as month and year, such as 12 / 34.";
  // A card is good until the end of its month, wherever on earth that comes last.
  const endMs = Date.UTC(year, month, 1, 12);
  return nowMs < endMs ? undefined : "This expiry date is in the past.";
}

function cvcError(text: string, card: Card | undefined): string | undefined {
  if (text === "") return "Enter the security code.";
  const isAmex = card?.brand === "amex";
  if (/^\d{3}$/.test(text) || (/^\d{4}$/.test(text) && (card === undefined || isAmex))) return undefined;
  return isAmex ? "The security code has 3 or 4 digits." : "The security code has 3 digits.";
}

/**
 * Reads what a buyer typed. Only numbers of test cards are taken; any other is told apart and forgotten at
 * once.
 */
export function readCard(params: FormMap, nowMs: number): CardEntry {
  const number = field(params, "number");
  const again = { expiry: field(params, "expiry").slice(0, 9), name: nameOf(params) };
  const card = cardOfNumber(number.replaceAll(/[ -]/g, ""));
  const expiry = expiryError(again.expiry, nowMs);
  const cvc = cvcError(field(params, "cvc"), card);
  const name = again.name === "" ? "Enter the name on the card." : undefined;
  if (card !== undefined && expiry === undefined && cvc === undefined && name === undefined) {
    return { kind: "card", card, name: again.name, again };
  }
  const errors: FieldErrors = {
    ...(card === undefined ? { number: numberError(number) } : {}),
    ...(expiry === undefined ? {} : { expiry }),
    ...(cvc === undefined ? {} : { cvc }),
    ...(name === undefined ? {} : { name }),
  };
  return { kind: "faulty", errors, again };
}
