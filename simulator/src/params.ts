import type { FormMap, FormValue } from "./form.ts";
import { invalidRequest } from "./stripe-error.ts";

const NO_METADATA: Readonly<Record<string, string>> = {};

/**
 * Throws Stripe's `parameter_unknown` for the first key that is not allowed. `prefix` names the enclosing
 * parameter.
 */
export function refuseUnknown(form: FormMap, allowed: ReadonlySet<string>, prefix = ""): void {
  for (const key of form.keys()) {
    if (allowed.has(key)) continue;
    const param = prefix === "" ? key : `${prefix}[${key}]`;
    throw invalidRequest(`Received unknown parameter: ${param}`, { code: "parameter_unknown", param });
  }
}

/** Stripe's error for a parameter that must be there. */
export function missingParam(param: string): Error {
  return invalidRequest(`Missing required param: ${param}.`, { code: "parameter_missing", param });
}

/** A text, or undefined when absent or empty (an empty text means "not set" to Stripe). */
export function optionalText(form: FormMap, key: string, prefix = ""): string | undefined {
  const value = form.get(key);
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string") return value;
  throw invalidRequest("Invalid string", { param: prefix === "" ? key : `${prefix}[${key}]` });
}

/** A whole number, or undefined when absent. */
export function optionalInteger(form: FormMap, key: string, prefix = ""): number | undefined {
  const value = optionalText(form, key, prefix);
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^-?\d{1,15}$/.test(value) && Number.isSafeInteger(number)) return number;
  const param = prefix === "" ? key : `${prefix}[${key}]`;
  throw invalidRequest(`Invalid integer: ${value}`, { code: "parameter_invalid_integer", param });
}

/** `true` or `false`, or undefined when absent. */
export function optionalBoolean(form: FormMap, key: string, prefix = ""): boolean | undefined {
  const value = optionalText(form, key, prefix);
  if (value === undefined) return undefined;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  const param = prefix === "" ? key : `${prefix}[${key}]`;
  throw invalidRequest(`Invalid boolean: ${value}`, { param });
}

/** One of the given words, or undefined when absent. */
export function optionalChoice<Choice extends string>(
  form: FormMap,
  key: string,
  choices: readonly Choice[],
  prefix = "",
): Choice | undefined {
  const value = optionalText(form, key, prefix);
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice !== undefined) return choice;
  const param = prefix === "" ? key : `${prefix}[${key}]`;
  throw invalidRequest(`Invalid ${param}: must be one of ${choices.join(", ")}`, { param });
}

/** A nested map, or undefined when absent. */
export function optionalMap(form: FormMap, key: string, prefix = ""): FormMap | undefined {
  const value = form.get(key);
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string") return value;
  throw invalidRequest("Invalid object", { param: prefix === "" ? key : `${prefix}[${key}]` });
}

/** A list of texts; a lone text counts as a list of one. */
export function textList(form: FormMap, key: string): string[] {
  const value = form.get(key);
  if (value === undefined || value === "") return [];
  if (typeof value === "string") return [value];
  return [...value.values()].map((item) => {
    if (typeof item === "string") return item;
    throw invalidRequest("Invalid array", { param: key });
  });
}

/**
 * Metadata within Stripe's limits: 50 keys, keys up to 40 characters, values up to 500. Empty values are left
 * out.
 */
export function metadataParam(form: FormMap, prefix = ""): Readonly<Record<string, string>> {
  const map = optionalMap(form, "metadata", prefix);
  if (map === undefined) return NO_METADATA;
  const entries: [string, string][] = [];
  for (const [key, value] of map) {
    const param = `metadata[${key}]`;
    if (typeof value !== "string") throw invalidRequest("Metadata values must be strings", { param });
    if (key.length > 40) throw invalidRequest("Metadata keys can have up to 40 characters.", { param });
    if (value.length > 500) throw invalidRequest("Metadata values can have up to 500 characters.", { param });
    if (value !== "") entries.push([key, value]);
  }
  if (entries.length > 50) throw invalidRequest("Metadata can have up to 50 keys.", { param: "metadata" });
  return Object.fromEntries(entries);
}

/** A form value as plain JSON, for parameters that are stored and given back unchanged. */
export function plainValue(value: FormValue): unknown {
  if (typeof value === "string") return value;
  return Object.fromEntries([...value].map(([key, nested]) => [key, plainValue(nested)]));
}
