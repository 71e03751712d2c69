/** Reads settings and collects their faults. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { messageOf } from "../errors.ts";
import { isCurrencyCode, parseAmount } from "../money/money.ts";
import type { AccountFields, Variables } from "../psp/adapters.ts";

/** In development everything has a default; in production secrets have none. */
export type Mode = "development" | "production";

export type Environment = Readonly<Record<string, string | undefined>>;
type Bounds = { readonly min: number; readonly max: number; readonly is_integer?: boolean };

/** Reads the environment and collects its faults, so that all are reported at once. */
export class SettingsReader implements Variables {
  readonly faults: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  text(name: string): string | undefined;
  text(name: string, fallback: string): string;
  text(name: string, fallback?: string): string | undefined {
    const file = this.#environment[`${name}_FILE`];
    if (file !== undefined && file !== "") {
      try {
        return readFileSync(file, "utf8").trim() || fallback;
      } catch (error) {
        this.faults.push(`${name}_FILE: ${messageOf(error)}`);
        return fallback;
      }
    }
    const value = this.#environment[name];
    return value === undefined || value === "" ? fallback : value;
  }

  /** A variable that Node or the driver reads by itself, where no file can stand in for it. */
  variable(name: string): string {
    return this.#environment[name] ?? "";
  }

  /** False where it is not set. */
  flag(name: string): boolean {
    const text = this.text(name, "false");
    if (text !== "true" && text !== "false") this.faults.push(`${name}: "${text}" is neither true nor false`);
    return text === "true";
  }

  list(name: string): string[] {
    return textsOf(this.text(name, ""));
  }

  number(name: string, fallback: number, bounds: Bounds): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (isWithin(value, bounds)) return value;
    this.faults.push(`${name}: "${text}" is not a number from ${bounds.min} to ${bounds.max}`);
    return fallback;
  }

  url(name: string): URL | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    // Not repeated: the secret key stands in the next line of most files, and could stand here.
    if (!URL.canParse(text)) this.faults.push(`${name}: is not a URL, like https://psp.example`);
    return URL.canParse(text) ? new URL(text) : undefined;
  }

  /**
   * IP addresses and networks, like 10.0.0.0/8; `loopback`, `linklocal` and `uniquelocal` name the usual
   * ones.
   */
  addresses(name: string): string[] {
    return this.list(name).filter((part) => {
      const [address = "", bits = "0", ...rest] = part.split("/");
      const isNetwork =
        rest.length === 0 &&
        /^\d{1,3}$/.test(bits) &&
        Number(bits) <= ({ 4: 32, 6: 128 }[isIP(address)] ?? -1);
      if (isNetwork || ["loopback", "linklocal", "uniquelocal"].includes(part)) return true;
      this.faults.push(`${name}: "${part}" is not an IP address or a network like 10.0.0.0/8`);
      return false;
    });
  }

  /** Origins like https://shop.example; `*` is any; undefined: not set. */
  origins(name: string): string[] | "any" | undefined {
    const parts = this.list(name);
    if (parts.length === 0) return undefined;
    if (parts.length === 1 && parts[0] === "*") return "any";
    for (const part of parts) {
      const isOrigin = isWebUrl(part) && new URL(part).origin === part;
      if (!isOrigin)
        this.faults.push(`${name}: "${part}" is not an origin like https://shop.example, without a path`);
    }
    return parts;
  }

  /** `USD:10000.00,JPY:900000` as minor units by currency. */
  amounts(name: string): ReadonlyMap<string, bigint> {
    return new Map(
      this.list(name).flatMap((part): [string, bigint][] => {
        const [currency = "", amount = ""] = part.split(":");
        const parsed = isCurrencyCode(currency) ? parseAmount(amount, currency) : undefined;
        if (parsed?.ok === true) return [[currency, parsed.money.amount_minor]];
        this.faults.push(`${name}: "${part}" is not like USD:10000.00`);
        return [];
      }),
    );
  }

  /** A setting in JSON: an array of objects with these fields; undefined: not set. */
  objects(name: string, fields: readonly string[]): readonly Fields[] | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : Fields.list(this, name, parseJson(text), fields);
  }
}

/** Undefined: not JSON. What the parser says about it would repeat a part of it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * An object in a setting in JSON. Its faults name the field and never repeat the value: it may be a secret
 * that went astray.
 */
export class Fields implements AccountFields {
  readonly #read: SettingsReader;
  readonly #path: string;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(read: SettingsReader, path: string, value: unknown, known: readonly string[]) {
    this.#read = read;
    this.#path = path;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    this.#values = isObject ? { ...value } : {};
    if (!isObject) read.faults.push(`${path}: is not an object`);
    for (const field of Object.keys(this.#values))
      if (!known.includes(field)) this.fault(field, `is not one of ${known.join(", ")}`);
  }

  static list(
    read: SettingsReader,
    path: string,
    value: unknown,
    known: readonly string[],
  ): readonly Fields[] {
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    if (items.length === 0) read.faults.push(`${path}: is not a JSON array with something in it`);
    return items.map((item, index) => new Fields(read, `${path}[${index}]`, item, known));
  }

  fault(field: string, what: string): void {
    this.#read.faults.push(`${this.#path}.${field}: ${what}`);
  }

  has(field: string): boolean {
    return this.#values[field] !== undefined;
  }

  text(field: string, isRight: (text: string) => boolean, what: string): string {
    const value = this.#values[field];
    if (typeof value === "string" && isRight(value)) return value;
    this.fault(field, `is not ${what}`);
    return "";
  }

  texts(field: string, isRight: (text: string) => boolean, what: string): readonly string[] | undefined {
    const value = this.#values[field];
    if (value === undefined) return undefined;
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    const texts = items.filter((item) => typeof item === "string").filter(isRight);
    if (texts.length === 0 || texts.length < items.length) this.fault(field, `is not an array of ${what}`);
    return texts;
  }

  number(field: string, fallback: number, bounds: Bounds): number {
    const value = this.#values[field] ?? fallback;
    if (typeof value === "number" && isWithin(value, bounds)) return value;
    this.fault(field, `is not a number from ${bounds.min} to ${bounds.max}`);
    return fallback;
  }

  flag(field: string): boolean {
    const value = this.#values[field] ?? false;
    if (typeof value === "boolean") return value;
    this.fault(field, "is not true or false");
    return false;
  }

  amount(field: string): bigint | undefined {
    if (!this.has(field)) return undefined;
    const isAmount = (text: string): boolean => /^\d{1,18}$/.test(text);
    return BigInt(this.text(field, isAmount, "an amount in minor units, as a string of digits"));
  }

  url(field: string): URL | undefined {
    const text = this.has(field) ? this.urlText(field) : "";
    return text === "" ? undefined : new URL(text);
  }

  /** A URL that is required, as it was written. */
  urlText(field: string): string {
    return this.text(field, isWebUrl, "a URL with http or https");
  }

  /** The value of the variable, or of the file, that the field names. */
  secret(field: string): string {
    const name = this.text(
      field,
      (text) => /^[A-Z][A-Z0-9_]*$/.test(text),
      "the name of a variable, like EU_SECRET_KEY",
    ).replace(/_FILE$/, "");
    const secret = name === "" ? "" : this.#read.text(name, "");
    if (name !== "" && secret === "") this.fault(field, `names ${shownName(name)}, which is not set`);
    return secret;
  }

  /** The same, of a list with commas. */
  secrets(field: string): readonly string[] {
    return textsOf(this.secret(field));
  }

  objects(field: string, known: readonly string[]): readonly Fields[] {
    return Fields.list(this.#read, `${this.#path}.${field}`, this.#values[field], known);
  }

  object(field: string, known: readonly string[]): Fields {
    return new Fields(this.#read, `${this.#path}.${field}`, this.#values[field] ?? {}, known);
  }
}

/** A long name without an underscore may be a secret that went astray, such as a hexadecimal key. */
const shownName = (name: string): string => (name.includes("_") || name.length < 20 ? name : "a variable");

const isWebUrl = (text: string): boolean => /^https?:/.test(text) && URL.canParse(text);

const isWithin = (value: number, { min, max, is_integer = true }: Bounds): boolean =>
  value >= min && value <= max && (!is_integer || Number.isInteger(value));

/** The parts between commas. */
const textsOf = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
