import { AppError } from "../../errors.ts";
import { isCurrencyCode, parseAmount, type Money } from "../../money/money.ts";
import type { ExternalReport } from "../port-webhooks.ts";

type Status = "success" | "failed" | "pending";
const statuses: readonly string[] = ["success", "failed", "pending"] satisfies readonly Status[];
const failure_code_length_max = 64;

/**
 * The fields of a verified status (R144). Every field that an outcome rests on is required. `signature` and
 * `timestamp` in the body prove nothing and are not read. Errors: `invalid_request`, `invalid_amount`, naming
 * the field.
 */
export function readStatus(body: string): ExternalReport {
  const fields = fieldsOf(body);
  const attempt_id = optionalText(fields, "attempt_id", 64);
  const payment_order_id = optionalText(fields, "payment_order_id", 255);
  if (attempt_id === null && payment_order_id === null)
    throw malformed("payment_order_id", "required, unless there is an attempt_id");
  const status = requiredText(fields, "status", 16);
  if (!isStatus(status)) throw malformed("status", "not success, failed or pending");
  const report = {
    account: requiredText(fields, "psp", 32),
    attempt_id,
    payment_order_id,
    money: readMoney(fields),
    reference: requiredText(fields, "reference", 255),
  };
  return { ...report, outcome: outcomeOf(status, report, optionalText(fields, "error", 10_000)) };
}

function outcomeOf(
  status: Status,
  { money, reference: psp_reference }: Pick<ExternalReport, "money" | "reference">,
  error: string | null,
): ExternalReport["outcome"] {
  switch (status) {
    case "success":
      return { kind: "succeeded", psp_reference, charged: money };
    case "failed": {
      const code = error === null ? "not_collected" : error.slice(0, failure_code_length_max).toWellFormed();
      return {
        kind: "declined",
        psp_reference,
        failure: { class: "hard_decline", code, message: "The money was not collected." },
      };
    }
    case "pending":
      return { kind: "pending", psp_reference, next_action: null };
  }
}

const isStatus = (text: string): text is Status => statuses.includes(text);

function readMoney(fields: Readonly<Record<string, unknown>>): Money {
  const currency = requiredText(fields, "currency", 3);
  if (!isCurrencyCode(currency))
    throw malformed("currency", "not a three-letter upper-case ISO 4217 code, such as EUR");
  const amount = parseAmount(requiredText(fields, "amount", 50), currency);
  if (amount.ok) return amount.money;
  throw new AppError(
    "invalid_amount",
    `amount is not a positive decimal string in the precision of ${currency}, such as "29.99" for EUR.`,
    { param: "amount" },
  );
}

function fieldsOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw malformed("body", "not a JSON object");
}

function requiredText(fields: Readonly<Record<string, unknown>>, name: string, length_max: number): string {
  const text = optionalText(fields, name, length_max);
  if (text === null) throw malformed(name, "required");
  return text;
}

/**
 * Null if it is left out, null or empty. PostgreSQL stores any text without NUL and lone surrogates.
 */
function optionalText(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  length_max: number,
): string | null {
  const value = Object.hasOwn(fields, name) ? (fields[name] ?? null) : null;
  if (value === null || value === "") return null;
  if (
    typeof value !== "string" ||
    value.length > length_max ||
    value.includes("\0") ||
    !value.isWellFormed()
  ) {
    throw malformed(name, `not a text of at most ${length_max} characters`);
  }
  return value;
}

const malformed = (param: string, what: string): AppError =>
  new AppError("invalid_request", `${param} is ${what}.`, { param });
