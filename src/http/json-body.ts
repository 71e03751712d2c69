import { AppError, messageOf } from "../errors.ts";
import { inspect } from "./inspection/inspect.ts";

/**
 * Parses a JSON text without loss: duplicate names and numbers that JavaScript would change are refused, with
 * the field's name. Checks the values as `inspect` does. Errors: `invalid_json`, and those of `inspect`.
 */
export function readJson(text: string): unknown {
  const value = parse(text);
  const members = inspect(value);
  // The parser keeps only the last of two equal names: then there are fewer members than colons.
  const survey = surveyJson(text);
  if (survey.colons === members && survey.are_numbers_exact) return value;
  const { param, message } = findFault(text);
  throw new AppError("invalid_json", `${param} ${message}`, { param });
}

/** Replaces the parser's own message, which may repeat a piece of the body. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [place = ""] = / at position \d+/.exec(messageOf(error)) ?? [];
    const detail = text === "" ? "The body is empty." : `The body is not valid JSON${place}.`;
    throw new AppError("invalid_json", detail, { param: "body" });
  }
}

const quote = 0x22;
const isNumberStart = (code: number): boolean => (code >= 48 && code <= 57) || code === 0x2d;

/**
 * Of a text that is known to be JSON. Strings are skipped whole, so this takes a microsecond for a usual
 * body.
 */
export function surveyJson(text: string): { colons: number; are_numbers_exact: boolean } {
  let colons = 0;
  let areExact = true;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at) - 1;
    else if (code === 0x3a) colons += 1;
    else if (isNumberStart(code)) {
      const end = endOfNumber(text, at);
      areExact &&= isExactNumber(text.slice(at, end));
      at = end - 1;
    }
  }
  return { colons, are_numbers_exact: areExact };
}

/** Behind the closing quote. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes += 1;
    if (backslashes % 2 === 0) return end + 1;
  }
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (/[0-9+.eE-]/.test(text.charAt(end))) end += 1;
  return end;
}

/** Whether JavaScript keeps the number exactly as written; -0 is not kept, because JSON prints it as 0. */
export function isExactNumber(source: string): boolean {
  if (source.length <= 15 && /^\d+$/.test(source)) return true;
  const value = Number(source);
  return Number.isFinite(value) && !Object.is(value, -0) && decimal(source) === decimal(String(value));
}

/** Only 0 and infinite numbers have exponents with more digits. */
const exponent_digits_max = 20;

/**
 * A number's digits and exponent without leading and trailing zeros: 1.50, 15e-1 and 1.5 are the same. Takes
 * linear time, because a number may be as long as the body: 60 kB of zeros once blocked the process for 11 s.
 */
function decimal(source: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = withoutZerosAtEnd(digits);
  if (significant === "") return "0";
  if (exponent.replace(/^[+-]?0*/, "").length > exponent_digits_max) return "beyond any number";
  const shift = digits.length - significant.length - fraction.length;
  return `${sign}${significant}e${BigInt(exponent) + BigInt(shift)}`;
}

/** Not by /0+$/, which starts again at each zero. */
function withoutZerosAtEnd(digits: string): string {
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 0x30) end -= 1;
  return digits.slice(0, end);
}

type Container = { readonly names: Set<string> | undefined; index: number; name: string };

/** The first duplicate name or inexact number, and its position; slower, for refusals only. */
function findFault(text: string): { param: string; message: string } {
  const path: Container[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    const top = path.at(-1);
    if (character === "{") path.push({ names: new Set(), index: 0, name: "" });
    else if (character === "[") path.push({ names: undefined, index: 0, name: "" });
    else if (character === "}" || character === "]") path.pop();
    else if (character === "," && top !== undefined) top.index += 1;
    else if (character === '"') {
      const end = endOfString(text, at);
      if (isName && top?.names !== undefined) {
        top.name = String(JSON.parse(text.slice(at, end)));
        if (top.names.has(top.name)) return { param: paramOf(path), message: "occurs twice." };
        top.names.add(top.name);
      }
      at = end - 1;
    } else if (isNumberStart(text.charCodeAt(at))) {
      const end = endOfNumber(text, at);
      if (!isExactNumber(text.slice(at, end))) {
        return {
          param: paramOf(path),
          message: "is a number that cannot be kept exactly; send it as a string.",
        };
      }
      at = end - 1;
    }
    if (character === "{" || character === ",") isName = true;
    else if (character === ":") isName = false;
  }
  throw new Error("the survey of a JSON text and the search in it differ");
}

function paramOf(path: readonly Container[]): string {
  const [first = "body", ...rest] = path.map(({ names, index, name }) =>
    names === undefined ? String(index) : name,
  );
  return `${first}${rest.map((part) => `[${part}]`).join("")}`.slice(0, 200);
}
