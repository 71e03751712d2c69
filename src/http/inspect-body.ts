import { AppError } from "../errors.ts";

const depth_max = 32;
/** Schemes begin with 2 to 6 (ISO/IEC 7812); 13 to 19 digits, perhaps grouped. */
const cardLike = /(?<!\d)[2-6](?:[ -]?\d){12,18}(?!\d)/;

/**
 * Looks through a parsed body before its schema does: refuses what no field may hold, with the field's
 * name: too deep nesting, NUL and other control characters, lone surrogates, card numbers.
 */
export function inspectBody(body: unknown): void {
  const waiting: { value: unknown; param: string; depth: number }[] = [{ value: body, param: "", depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, param, depth } = next;
    if (typeof value === "string") inspectText(value, param);
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
  const match = cardLike.exec(text);
  if (match !== null && passesLuhn(match[0].replace(/\D/g, ""))) {
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
