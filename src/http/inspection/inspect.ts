import { AppError, type ErrorCode } from "../../errors.ts";
import { cardDataIn, isVerificationCodeName, surveyText } from "./card-data.ts";

const depth_max = 32;
const values_max = 10_000;
/** Longer than any field of any route may be. */
const text_length_max = 20_000;

/**
 * Checks a parsed body, or the parameters of a path or query, before its schema does. Refuses what no field
 * may hold, with the field's name: too deep nesting, control characters, lone surrogates, card data. Gives
 * the number of object members seen.
 */
export function inspect(value: unknown): number {
  const inspection = new Inspection();
  inspection.walk(value, 0);
  inspection.endDigits();
  return inspection.members;
}

class Inspection {
  members = 0;
  #values = 0;
  readonly #path: (string | number)[] = [];
  /** Consecutive values of only digits and signs: a card number may be split over several fields. */
  #pieces: string[] = [];
  #placeOfPieces: readonly (string | number)[] = [];
  #areItems = true;

  walk(value: unknown, depth: number): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "number") this.#text(String(value));
    else if (typeof value !== "object" || value === null) this.endDigits();
    else if (depth >= depth_max)
      refuse("invalid_request", this, `is nested deeper than ${depth_max} levels.`);
    else if (Array.isArray(value)) this.#array(value, depth);
    else this.#object(value, depth);
  }

  #array(items: readonly unknown[], depth: number): void {
    this.#count(items.length);
    for (const [index, item] of items.entries()) {
      this.#path.push(index);
      this.walk(item, depth + 1);
      this.#path.pop();
    }
  }

  #object(value: object, depth: number): void {
    for (const [name, member] of Object.entries(value)) {
      this.members += 1;
      this.#count(1);
      this.#name(name);
      this.#path.push(name);
      if (isOfOwnForm(name)) this.#alone(name, member, depth);
      else this.walk(member, depth + 1);
      this.#path.pop();
    }
  }

  /** Never joined with their neighbours: ids and amounts are often digits only. */
  #alone(name: string, value: unknown, depth: number): void {
    this.endDigits();
    if (name === "amount" && typeof value === "string" && /^\d{1,15}\.\d{1,4}$/.test(value)) return;
    this.walk(value, depth + 1);
    this.endDigits();
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > values_max) refuse("invalid_request", "body", `holds more than ${values_max} values.`);
  }

  #name(name: string): void {
    if (knownNames.has(name)) return;
    assertText(name, this);
    if (name === "__proto__" || name === "constructor" || name === "prototype") {
      refuse("invalid_request", this.param(name), "has a name that is not allowed.");
    }
    if (isVerificationCodeName(name)) {
      refuse(
        "card_number_refused",
        this.param(name),
        "is for a card's verification code, which must not be sent here.",
      );
    }
    if (knownNames.size < known_names_max && name.length <= 60) knownNames.add(name);
  }

  #text(text: string): void {
    assertText(text, this);
    if (!isPiece(text)) return this.endDigits();
    if (this.#pieces.length === 0) this.#placeOfPieces = this.#path.slice(0, -1);
    this.#pieces.push(text);
    this.#areItems &&= typeof this.#path.at(-1) === "number";
  }

  /** Two items of arrays in a row, or three values anywhere, are read as one number. */
  endDigits(): void {
    if (this.#pieces.length === 0) return;
    const hasEnough = this.#pieces.length >= (this.#areItems ? 2 : 3);
    if (hasEnough) assertText(this.#pieces.join(" "), textOf(this.#placeOfPieces));
    this.#pieces = [];
    this.#areItems = true;
  }

  param(...more: readonly string[]): string {
    return textOf([...this.#path, ...more]);
  }
}

/** With brackets for nesting. */
function textOf([first = "body", ...rest]: readonly (string | number)[]): string {
  return `${first}${rest.map((part) => `[${part}]`).join("")}`.slice(0, 200);
}

/** Fields with a validator of their own. */
function isOfOwnForm(name: string): boolean {
  return name === "amount" || name.endsWith("_id") || name.endsWith("_account");
}

/** Only digits and signs, no longer than a piece of a card number. */
function isPiece(text: string): boolean {
  const code = text.charCodeAt(0) | 0x20;
  return text.length <= 100 && !(code >= 97 && code <= 122) && /^[\p{P}\p{Zs}\p{N}]+$/u.test(text);
}

/** Names that were found harmless, because those of the schemas come with every request. */
const knownNames = new Set<string>();
const known_names_max = 2_000;

/** The position of a text; built only for a refusal. */
type Place = string | { param(): string };
const paramOf = (place: Place): string => (typeof place === "string" ? place : place.param());

function assertText(text: string, place: Place): void {
  if (text.length > text_length_max)
    refuse("invalid_request", place, `is longer than ${text_length_max} characters.`);
  const survey = surveyText(text);
  if (survey.has_control_character) refuse("invalid_request", place, "holds a control character.");
  if (!survey.is_ascii && !text.isWellFormed())
    refuse("invalid_request", place, "is not well-formed Unicode.");
  const found = cardDataIn(text, survey);
  if (found !== undefined)
    refuse("card_number_refused", place, `looks like ${found}; send a token of the PSP instead.`);
}

function refuse(code: ErrorCode, place: Place, message: string): never {
  const param = paramOf(place);
  throw new AppError(code, `${param} ${message}`, { param });
}
