import { cardDataIn } from "./inspection/card-data.ts";
import { surveyJson } from "./json-body.ts";
import { isSurelyHarmless } from "./harmless-json.ts";
import { harmless_length, removed, withoutSecrets } from "./secrets-in-text.ts";
import { ruleFor, type Rule } from "./sensitive-names.ts";

/**
 * Every intent of Stripe's has a client secret, and nearly all have it in this form. It is taken out of the
 * text, so that the other bytes stay as they came.
 */
const plainSecret = /(client_?secret"\s*:\s*)"[^"\\]*"/gi;
/** Deeper than anything that a PSP writes or an adapter reads. */
const depth_max = 64;

/**
 * The JSON text of a webhook as it may be stored. A signed webhook is not refused, because the PSP would
 * resend it for days: card data in it is removed, and so is what lets a reader act for the buyer (a client
 * secret, the address of a page or of a next action). That is decided on the parsed names and values, because
 * a text can write any character in several ways. What names a payment stays, even if it is only digits.
 */
export function withoutSensitiveData(json: string): string {
  const text = json.replace(plainSecret, `$1"${removed}"`);
  if (isSurelyHarmless(text)) return text;
  const parsed: unknown = JSON.parse(text);
  const cleaning = new Cleaning();
  const kept = cleaning.valueOf(parsed);
  if (kept !== parsed) return JSON.stringify(kept);
  // Of two equal names the parser keeps the last, and of a long number the first digits: the text says more.
  const survey = surveyJson(text);
  const saysMore = survey.colons !== cleaning.members || !survey.are_numbers_exact;
  return saysMore ? JSON.stringify(kept) : text;
}

/** Values that stay are the same objects as before. */
class Cleaning {
  members = 0;
  readonly #path: (string | number)[] = [];

  valueOf(value: unknown): unknown {
    if (typeof value === "string") return this.#text(value);
    if (typeof value === "number") return this.#number(value);
    if (typeof value !== "object" || value === null) return value;
    if (this.#path.length >= depth_max) return removed;
    return Array.isArray(value) ? this.#items(value) : this.#members(value);
  }

  #members(value: object): unknown {
    const kept: [string, unknown][] = [];
    let isChanged = false;
    let names_removed = 0;
    for (const [name, member] of Object.entries(value)) {
      const rule = ruleFor(name);
      const safe = this.#member(name, rule, member);
      if (rule === "remove_name") names_removed += 1;
      kept.push([rule === "remove_name" ? nameOfRemoved(names_removed) : name, safe]);
      isChanged ||= safe !== member || rule === "remove_name";
    }
    this.members += kept.length;
    return isChanged ? Object.fromEntries(kept) : value;
  }

  #member(name: string, rule: Rule, value: unknown): unknown {
    if (rule === "remove_value") return value === null || typeof value === "boolean" ? value : removed;
    if (rule === "keep_kind") return kindOnly(value);
    if (rule === "remove_address" && typeof value === "string" && /^\s*https?:/i.test(value)) return removed;
    this.#path.push(name);
    const safe = this.valueOf(value);
    this.#path.pop();
    return safe;
  }

  #items(items: readonly unknown[]): unknown {
    if (isSplitCardData(items)) return items.map(() => removed);
    const kept = items.map((item, index) => {
      this.#path.push(index);
      const safe = this.valueOf(item);
      this.#path.pop();
      return safe;
    });
    // Without a long number between them, the pieces may be one.
    if (isSplitCardData(kept)) return items.map(() => removed);
    return kept.some((item, index) => item !== items[index]) ? kept : items;
  }

  #text(text: string): string {
    if (text.length < harmless_length) return text;
    if (cardDataIn(text) !== undefined && !this.#isKnownId(text)) return removed;
    return withoutSecrets(text);
  }

  /** A number beyond the exact ones may have been a card number with more digits. */
  #number(value: number): unknown {
    if (Number.isInteger(value) && Math.abs(value) < card_number_min) return value;
    const isSafe = Math.abs(value) <= Number.MAX_SAFE_INTEGER && cardDataIn(String(value)) === undefined;
    return isSafe || this.#isKnownId(String(value)) ? value : removed;
  }

  #isAt(place: readonly (string | number)[]): boolean {
    return place.length === this.#path.length && place.every((part, index) => part === this.#path[index]);
  }

  #isKnownId = (text: string): boolean => isPlainId(text) && knownPlaces.some((place) => this.#isAt(place));
}

/** The least number of twelve digits. */
const card_number_min = 100_000_000_000;
const isSplitCardData = (items: readonly unknown[]): boolean =>
  items.length > 1 && items.every(isPiece) && cardDataIn(items.join(" ")) !== undefined;
const isPiece = (item: unknown): boolean => typeof item === "string" || typeof item === "number";
const nameOfRemoved = (count: number): string => (count === 1 ? removed : `[removed ${count}]`);

/** An id without signs between its digits, or an amount. */
export const isPlainId = (text: string): boolean => /^(?:\w+|\d+\.\d{1,4})$/.test(text);

const ofEvent = ["data", "object"];
const ofItem = ["notificationItems", 0, "NotificationRequestItem"];
/**
 * Where adapters read what names a payment, and its amounts. An external account's ids are refused instead.
 */
const knownPlaces: readonly (readonly (string | number)[])[] = [
  ["id"],
  ...["id", "amount", "amount_received", "amount_total", "payment_intent"].map((name) => [...ofEvent, name]),
  [...ofEvent, "payment_intent", "id"],
  [...ofEvent, "latest_charge"],
  ...["id", "balance_transaction"].map((name) => [...ofEvent, "latest_charge", name]),
  [...ofEvent, "metadata", "attempt_id"],
  [...ofEvent, "metadata", "payment_order_id"],
  ...["pspReference", "originalReference", "merchantReference"].map((name) => [...ofItem, name]),
  [...ofItem, "amount", "value"],
  ["amount"],
];

/** Only what kind of step it is. */
function kindOnly(action: unknown): unknown {
  if (typeof action !== "object" || action === null) return action === null ? null : removed;
  return "type" in action && typeof action.type === "string" && /^[a-z_0-9]{1,64}$/.test(action.type)
    ? { type: action.type }
    : {};
}
