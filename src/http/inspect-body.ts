import { AppError } from "../errors.ts";

const depth_max = 32;
/** Schemes begin with 2 to 6 (ISO/IEC 7812); 13 to 19 digits, perhaps grouped. */
const digitGroups = /(?<![0-9A-Za-z])\d+(?:[ -]\d+)*(?![0-9A-Za-z])/g;
/** How cards are printed: in one piece, in fours, or as American Express and Diners do. */
const cardGrouping = /^(1[3-9]|4,4,4,[1-4]|4,4,4,4,[1-3]|4,6,[45])$/;

/** Most texts hold no thirteen digits at all: told in a microsecond, where the search below takes thirty. */
const mayHoldCard = /(?:\d[ -]?){13}/;

function holdsCardNumber(text: string): boolean {
  if (!mayHoldCard.test(text)) return false;
  for (const [run] of text.matchAll(digitGroups)) {
    const groups = run.split(/[ -]/);
    for (let first = 0; first < groups.length; first++) {
      for (let last = first; last < Math.min(first + 5, groups.length); last++) {
        const chosen = groups.slice(first, last + 1);
        if (!cardGrouping.test(chosen.map((group) => group.length).join())) continue;
        const digits = chosen.join("");
        if (/^[2-6]/.test(digits) && passesLuhn(digits)) return true;
      }
    }
  }
  return false;
}

/**
 * Looks through a parsed body before its schema does: refuses what no field may hold, with the field's
 * name: too deep nesting, NUL and other control characters, lone surrogates, card numbers.
 */
export function inspectBody(body: unknown): void {
  const waiting: { value: unknown; param: string; depth: number }[] = [{ value: body, param: "", depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, param, depth } = next;
    if (typeof value === "string") inspectText(value, param);
    if (typeof value === "number") inspectText(String(value), param);
    if (typeof value !== "object" || value === null) continue;
    if (depth >= depth_max) throw new AppError("invalid_request", `The body is nested deeper than ${depth_max} levels.`, { param: param.slice(0, 200) || "body" });
    for (const [name, member] of Object.entries(value)) {
      inspectText(name, param === "" ? "body" : param);
      waiting.push({ value: member, param: param === "" ? name : `${param}[${name}]`, depth: depth + 1 });
    }
  }
}

function inspectText(text: string, param: string): void {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new AppError("invalid_request", `${param} holds a control character.`, { param });
  if (!text.isWellFormed()) throw new AppError("invalid_request", `${param} is not well-formed Unicode.`, { param });
  if (holdsCardNumber(text)) {
    throw new AppError("card_number_refused", `${param} looks like a card number; send a token of the PSP instead.`, { param });
  }
}

/** The check digit of card numbers (ISO/IEC 7812-1, annex B). */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
