import { cardDataIn } from "./inspection/card-data.ts";
import { harmless_length, removed, withoutSecrets } from "./secrets-in-text.ts";
import { ruleFor } from "./sensitive-names.ts";

const quote = '"';
const exact_digits = 12;

/**
 * Whether nothing would be removed from this valid JSON: a quick look at its names, strings and numbers, also
 * at those that the parser drops because a name stands twice. False says nothing. To parse a charge of 5 kB
 * and walk through it took 52 µs, this takes 29.
 */
export function isSurelyHarmless(json: string): boolean {
  // Only without escapes is a string what stands between two quotes.
  if (json.includes("\\")) return false;
  let behind = 0;
  let previousValue: string | undefined;
  for (let start = json.indexOf(quote); start !== -1; start = json.indexOf(quote, behind)) {
    if (!areShortNumbers(json, behind, start)) return false;
    const end = json.indexOf(quote, start + 1);
    if (end === -1) return false;
    const text = json.slice(start + 1, end);
    behind = end + 1;
    const colon = behindBlanks(json, behind);
    if (json[colon] === ":") {
      behind = behindBlanks(json, colon + 1);
      if (!isHarmlessMember(json, text, behind)) return false;
      previousValue = undefined;
    } else {
      if (!isHarmlessValue(text)) return false;
      // Pieces of a number may follow each other in an array.
      if (previousValue !== undefined && /\d/.test(previousValue + text)) return false;
      previousValue = text;
    }
  }
  return areShortNumbers(json, behind, json.length);
}

function behindBlanks(json: string, start: number): number {
  let at = start;
  while (json.charCodeAt(at) <= 0x20) at += 1;
  return at;
}

function isHarmlessMember(json: string, name: string, value: number): boolean {
  const rule = ruleFor(name);
  if (rule === "walk") return true;
  if (rule === "remove_name") return false;
  if (json.startsWith("null", value)) return true;
  if (rule === "remove_value") return json.startsWith(`"${removed}"`, value);
  // The addresses of Stripe's lists are only paths.
  return rule === "remove_address" && json.startsWith('"/', value);
}

const isHarmlessValue = (text: string): boolean =>
  text.length < harmless_length || (cardDataIn(text) === undefined && withoutSecrets(text) === text);

/** Whether all numbers outside of strings have few digits, no exponent, and stand in no array. */
function areShortNumbers(json: string, start: number, end: number): boolean {
  let digits = 0;
  let before = 0;
  for (let at = start; at < end; at++) {
    const code = json.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) {
      digits += 1;
      if (digits >= exact_digits || before === 0x5b || before === 0x2c) return false;
    } else if (digits > 0 && (code | 0x20) === 0x65) return false;
    else if (code > 0x20 && code !== 0x2d) {
      if (code !== 0x2e) digits = 0;
      before = code;
    }
  }
  return true;
}
