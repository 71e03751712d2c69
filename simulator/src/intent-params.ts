import { cardOfNumber, cardOfTestMethod, cardOfToken, type Card } from "./cards.ts";
import { amountStep, isCurrency } from "./currencies.ts";
import type { FormMap } from "./form.ts";
import { newId } from "./ids.ts";
import {
  missingParam,
  optionalBoolean,
  optionalChoice,
  optionalInteger,
  optionalMap,
  optionalText,
  plainValue,
  refuseUnknown,
  textList,
} from "./params.ts";
import type { IntentRecord, PaymentMethodRecord } from "./records.ts";
import { invalidRequest, missingObject, StripeError } from "./stripe-error.ts";

/** Parameters that change nothing here and are given back on the object. */
const KEPT = [
  "description",
  "receipt_email",
  "setup_future_usage",
  "shipping",
  "statement_descriptor",
  "statement_descriptor_suffix",
  "transfer_group",
] as const;
const METHOD_PARAMS = [
  "payment_method",
  "payment_method_data",
  "payment_method_options",
  "return_url",
] as const;
const IGNORED = [
  "error_on_requires_action",
  "mandate_data",
  "off_session",
  "radar_options",
  "use_stripe_sdk",
] as const;

export const CREATE_PARAMS: ReadonlySet<string> = new Set([
  "allowed_payment_method_types",
  "amount",
  "currency",
  "automatic_payment_methods",
  "capture_method",
  "confirm",
  "confirmation_method",
  "customer",
  "expand",
  "metadata",
  "payment_method_types",
  ...KEPT,
  ...METHOD_PARAMS,
  ...IGNORED,
]);
export const CONFIRM_PARAMS: ReadonlySet<string> = new Set([
  "capture_method",
  "expand",
  "receipt_email",
  "setup_future_usage",
  "shipping",
  ...METHOD_PARAMS,
  ...IGNORED,
]);

const METHOD_DATA: ReadonlySet<string> = new Set([
  "allow_redisplay",
  "billing_details",
  "card",
  "metadata",
  "type",
]);
const CARD_DATA: ReadonlySet<string> = new Set(["cvc", "exp_month", "exp_year", "number", "token"]);
const AUTOMATIC: ReadonlySet<string> = new Set(["allow_redirects", "enabled"]);

/** A payment method as it is charged. */
export interface ChosenMethod {
  id: string;
  card: Card;
}

/** An amount of minor units as Stripe takes it: at least 1, at most eight digits. */
export function amountParam(form: FormMap): number {
  const amount = optionalInteger(form, "amount");
  if (amount === undefined) throw missingParam("amount");
  if (amount < 1) {
    throw invalidRequest("This value must be greater than or equal to 1.", {
      code: "parameter_invalid_integer",
      param: "amount",
    });
  }
  if (amount > 99_999_999) {
    throw invalidRequest("Amount must be no more than 99999999 in the smallest currency unit.", {
      code: "amount_too_large",
      param: "amount",
    });
  }
  return amount;
}

/** A known currency code in lower case, and an amount it can be charged with. */
export function currencyParam(form: FormMap, amount: number): string {
  const given = optionalText(form, "currency");
  if (given === undefined) throw missingParam("currency");
  const currency = given.toLowerCase();
  if (!isCurrency(currency)) throw invalidRequest(`Invalid currency: ${currency}.`, { param: "currency" });
  const step = amountStep(currency);
  if (amount % step !== 0) {
    throw invalidRequest(`Invalid amount: ${currency} amounts must be divisible by ${step}.`, {
      code: "parameter_invalid_integer",
      param: "amount",
    });
  }
  return currency;
}

/** Stripe's card field errors for card data that names no test card. */
export function cardParam(form: FormMap, prefix: string): Card {
  refuseUnknown(form, CARD_DATA, prefix);
  const token = optionalText(form, "token", prefix);
  if (token !== undefined) {
    const card = cardOfToken(token);
    if (card === undefined) throw missingObject("token", token, `${prefix}[token]`, 400);
    return card;
  }
  const number = optionalText(form, "number", prefix);
  if (number === undefined) throw missingParam(`${prefix}[number]`);
  const card = cardOfNumber(number.replaceAll(/[ -]/g, ""));
  if (card !== undefined) return card;
  throw new StripeError(402, "card_error", "Your card number is incorrect.", {
    code: "incorrect_number",
    param: `${prefix}[number]`,
  });
}

async function savedMethod(
  id: string,
  nowMs: number,
  find: (id: string) => Promise<PaymentMethodRecord | null>,
  cardNamed: (name: string) => Card,
): Promise<ChosenMethod> {
  const test = cardOfTestMethod(id);
  if (test !== undefined) return { id: newId("pm", nowMs), card: test };
  const record = await find(id);
  if (record === null) throw missingObject("PaymentMethod", id, "payment_method", 400);
  return { id, card: cardNamed(record.card) };
}

/** The payment method the parameters name, or null. */
export async function methodParam(
  form: FormMap,
  nowMs: number,
  find: (id: string) => Promise<PaymentMethodRecord | null>,
  cardNamed: (name: string) => Card,
): Promise<ChosenMethod | null> {
  const id = optionalText(form, "payment_method");
  const data = optionalMap(form, "payment_method_data");
  if (id !== undefined && data !== undefined) {
    throw invalidRequest(
      "You may only specify one of these parameters: payment_method, payment_method_data.",
    );
  }
  if (id !== undefined) return savedMethod(id, nowMs, find, cardNamed);
  if (data === undefined) return null;
  refuseUnknown(data, METHOD_DATA, "payment_method_data");
  const type = optionalText(data, "type", "payment_method_data");
  if (type === undefined) throw missingParam("payment_method_data[type]");
  const card = optionalMap(data, "card", "payment_method_data");
  if (type !== "card") {
    throw invalidRequest(`Invalid payment_method_data[type]: ${type}`, {
      param: "payment_method_data[type]",
    });
  }
  if (card === undefined) throw missingParam("payment_method_data[card]");
  return { id: newId("pm", nowMs), card: cardParam(card, "payment_method_data[card]") };
}

/**
 * Which payment methods the intent takes: automatic (the default) or an explicit list. The list is
 * `allowed_payment_method_types` in the API's present version and `payment_method_types` in earlier ones.
 */
export function methodsParam(form: FormMap): IntentRecord["methods"] {
  const automatic = optionalMap(form, "automatic_payment_methods");
  const allowed = textList(form, "allowed_payment_method_types");
  const types = allowed.length > 0 ? allowed : textList(form, "payment_method_types");
  if (automatic !== undefined) refuseUnknown(automatic, AUTOMATIC, "automatic_payment_methods");
  const enabled =
    automatic === undefined ? undefined : optionalBoolean(automatic, "enabled", "automatic_payment_methods");
  if (automatic !== undefined && enabled === undefined)
    throw missingParam("automatic_payment_methods[enabled]");
  if (enabled === true && types.length > 0) {
    throw invalidRequest(
      "You may only specify one of these parameters: automatic_payment_methods, " +
        "allowed_payment_method_types.",
    );
  }
  const unknown = types.find((type) => type !== "card" && type !== "link");
  if (unknown !== undefined) {
    throw invalidRequest(`The payment method type "${unknown}" is invalid.`, {
      code: "payment_intent_invalid_parameter",
      param: allowed.length > 0 ? "allowed_payment_method_types" : "payment_method_types",
    });
  }
  if (types.length > 0) return types;
  if (enabled === false) return ["card"];
  const redirects =
    automatic === undefined ? undefined : optionalChoice(automatic, "allow_redirects", ["always", "never"]);
  return { allow_redirects: redirects ?? "always" };
}

/** The parameters that are only given back. */
export function keptParams(form: FormMap): Readonly<Record<string, unknown>> | undefined {
  const kept: Record<string, unknown> = {};
  let found = false;
  for (const key of KEPT) {
    const value = form.get(key);
    if (value === undefined || value === "") continue;
    kept[key] = plainValue(value);
    found = true;
  }
  return found ? kept : undefined;
}

/** Whether captures in several parts are asked for. Other options of the card change nothing here. */
export function multicaptureParam(form: FormMap): IntentRecord["request_multicapture"] {
  const options = optionalMap(form, "payment_method_options");
  const card = options === undefined ? undefined : optionalMap(options, "card", "payment_method_options");
  if (card === undefined) return undefined;
  return optionalChoice(
    card,
    "request_multicapture",
    ["if_available", "never"],
    "payment_method_options[card]",
  );
}

/** No customer was ever created here. */
export function refuseCustomer(form: FormMap): void {
  const customer = optionalText(form, "customer");
  if (customer !== undefined) throw missingObject("customer", customer, "customer", 400);
}

/** The paths of `expand[]`; only those an intent has are known. */
export function expandParam(form: FormMap, prefix = ""): string[] {
  return expandPaths(
    form,
    ["latest_charge", "payment_method", "latest_charge.balance_transaction", "customer"],
    prefix,
  );
}

/** The paths of `expand[]` without the list's prefix; others than the known ones are refused. */
export function expandPaths(form: FormMap, known: readonly string[], prefix: string): string[] {
  return textList(form, "expand").map((path) => {
    const bare = path.startsWith(prefix) ? path.slice(prefix.length) : "";
    if (known.includes(bare)) return bare;
    throw invalidRequest(`This property cannot be expanded (${path}).`, { param: "expand" });
  });
}
