import { currencyParam, expandPaths, methodsParam } from "./intent-params.ts";
import type { FormMap, FormValue } from "./form.ts";
import { newId } from "./ids.ts";
import {
  metadataParam,
  missingParam,
  optionalChoice,
  optionalInteger,
  optionalMap,
  optionalText,
  plainValue,
  refuseUnknown,
} from "./params.ts";
import type { IntentRecord, SessionLine, SessionRecord } from "./records.ts";
import { invalidRequest } from "./stripe-error.ts";

/** Parameters that change nothing here and are given back on the object. */
const KEPT = ["locale", "submit_type"] as const;
const CREATE_PARAMS: ReadonlySet<string> = new Set([
  "allowed_payment_method_types",
  "cancel_url",
  "client_reference_id",
  "customer_email",
  "expand",
  "expires_at",
  "line_items",
  "metadata",
  "mode",
  "payment_intent_data",
  "payment_method_types",
  "success_url",
  "ui_mode",
  ...KEPT,
]);
/** Those of the intent that are given back on it. */
const INTENT_KEPT = [
  "description",
  "receipt_email",
  "shipping",
  "statement_descriptor",
  "statement_descriptor_suffix",
  "transfer_group",
] as const;
const INTENT_DATA: ReadonlySet<string> = new Set(["capture_method", "metadata", ...INTENT_KEPT]);
const LINE: ReadonlySet<string> = new Set(["price_data", "quantity"]);
const PRICE_DATA: ReadonlySet<string> = new Set(["currency", "product_data", "tax_behavior", "unit_amount"]);
const PRODUCT_DATA: ReadonlySet<string> = new Set(["description", "images", "metadata", "name"]);
const EXPANDABLE = [
  "line_items",
  "payment_intent",
  "payment_intent.latest_charge",
  "payment_intent.payment_method",
];

const LINES_MAX = 100;
const TOTAL_MAX = 99_999_999;
const SECONDS_MAX = 86_400;

/** What creating a session asks for. */
export type SessionWish = Omit<SessionRecord, "id" | "payment_status" | "status" | "url" | "version">;

/** The paths of `expand[]`; only those a session has are known. */
export function expandSessionParam(form: FormMap, prefix = ""): string[] {
  return expandPaths(form, EXPANDABLE, prefix);
}

function entries(value: FormValue | undefined): [string, FormMap][] {
  if (value === undefined || value === "") {
    throw invalidRequest("The `line_items` parameter is required in payment mode.", {
      code: "parameter_missing",
      param: "line_items",
    });
  }
  if (typeof value === "string" || value.size > LINES_MAX) {
    throw invalidRequest(`Invalid array: line_items holds from 1 to ${LINES_MAX} items.`, {
      param: "line_items",
    });
  }
  return [...value].map(([index, item]) => {
    if (typeof item !== "string") return [`line_items[${index}]`, item];
    throw invalidRequest("Invalid object", { param: `line_items[${index}]` });
  });
}

function quantityOf(item: FormMap, at: string): number {
  const quantity = optionalInteger(item, "quantity", at);
  if (quantity === undefined) {
    throw invalidRequest(`Quantity is required. Add \`quantity\` to \`${at}\``, { param: `${at}[quantity]` });
  }
  if (quantity >= 1 && quantity <= 999_999) return quantity;
  throw invalidRequest("This value must be from 1 to 999999.", {
    code: "parameter_invalid_integer",
    param: `${at}[quantity]`,
  });
}

function lineOf(item: FormMap, at: string, nowMs: number): { line: SessionLine; currency: string } {
  refuseUnknown(item, LINE, at);
  const price = optionalMap(item, "price_data", at);
  const inPrice = `${at}[price_data]`;
  if (price === undefined) throw missingParam(inPrice);
  refuseUnknown(price, PRICE_DATA, inPrice);
  const product = optionalMap(price, "product_data", inPrice);
  const inProduct = `${inPrice}[product_data]`;
  if (product === undefined) throw missingParam(inProduct);
  refuseUnknown(product, PRODUCT_DATA, inProduct);
  const name = optionalText(product, "name", inProduct);
  if (name === undefined) throw missingParam(`${inProduct}[name]`);
  const description = optionalText(product, "description", inProduct);
  const unitAmount = optionalInteger(price, "unit_amount", inPrice);
  if (unitAmount === undefined) throw missingParam(`${inPrice}[unit_amount]`);
  if (unitAmount < 0 || unitAmount > TOTAL_MAX) {
    throw invalidRequest(`Invalid integer: unit_amount must be from 0 to ${TOTAL_MAX}.`, {
      code: "parameter_invalid_integer",
      param: `${inPrice}[unit_amount]`,
    });
  }
  const currency = optionalText(price, "currency", inPrice);
  if (currency === undefined) throw missingParam(`${inPrice}[currency]`);
  const line: SessionLine = {
    id: newId("li", nowMs),
    name,
    unit_amount: unitAmount,
    quantity: quantityOf(item, at),
    ...(description === undefined ? {} : { description }),
  };
  return { line, currency };
}

function linesParam(
  form: FormMap,
  nowMs: number,
): Pick<SessionRecord, "amount_total" | "currency" | "lines"> {
  const found = entries(form.get("line_items")).map(([at, item]) => lineOf(item, at, nowMs));
  const currencies = new Set(found.map(({ currency }) => currency.toLowerCase()));
  const [currency = ""] = currencies;
  if (currencies.size > 1) {
    throw invalidRequest("All prices on a Checkout Session must use the same currency.", {
      param: "line_items",
    });
  }
  const amount = found.reduce((total, { line }) => total + line.unit_amount * line.quantity, 0);
  if (amount < 1 || amount > TOTAL_MAX) {
    throw invalidRequest(
      `The Checkout Session's total must be from 1 to ${TOTAL_MAX} in the smallest currency unit.`,
      { code: amount < 1 ? "amount_too_small" : "amount_too_large", param: "line_items" },
    );
  }
  return {
    amount_total: amount,
    currency: currencyParam(new Map([["currency", currency]]), amount),
    lines: found.map(({ line }) => line),
  };
}

function urlParam(form: FormMap, key: "cancel_url" | "success_url"): string | undefined {
  const url = optionalText(form, key);
  if (url === undefined || (/^https?:\/\//i.test(url) && URL.canParse(url))) return url;
  throw invalidRequest("Not a valid URL", { code: "url_invalid", param: key });
}

function expiresAtParam(form: FormMap, created: number, secondsMin: number): number {
  const expiresAt = optionalInteger(form, "expires_at");
  if (expiresAt === undefined) return created + SECONDS_MAX;
  const refuse = (bound: string): Error =>
    invalidRequest(`The \`expires_at\` timestamp must be ${bound} from Checkout Session creation.`, {
      param: "expires_at",
    });
  if (expiresAt - created < secondsMin) {
    throw refuse(`at least ${secondsMin === 1_800 ? "30 minutes" : `${secondsMin} seconds`}`);
  }
  if (expiresAt - created > SECONDS_MAX) throw refuse("less than 24 hours");
  return expiresAt;
}

function paymentParam(form: FormMap): SessionRecord["payment"] {
  const data = optionalMap(form, "payment_intent_data");
  if (data === undefined) return { metadata: {} };
  refuseUnknown(data, INTENT_DATA, "payment_intent_data");
  // A page that only authorises is not known here: better refused than charged at once.
  optionalChoice(data, "capture_method", ["automatic", "automatic_async"]);
  const extra = kept(data, INTENT_KEPT);
  return { metadata: metadataParam(data, "payment_intent_data"), ...(extra === undefined ? {} : { extra }) };
}

function kept(form: FormMap, keys: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const found = keys.flatMap((key): [string, unknown][] => {
    const value = form.get(key);
    return value === undefined || value === "" ? [] : [[key, plainValue(value)]];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

function sessionMethods(form: FormMap): IntentRecord["methods"] {
  const methods = methodsParam(form);
  if ("allow_redirects" in methods || methods.includes("card")) return methods;
  throw invalidRequest(
    "The simulator's page takes cards only: the allowed payment method types must contain card.",
  );
}

/** The parameters of a new session. `secondsMin`: how soon after its creation it may expire. */
export function sessionParams(form: FormMap, nowMs: number, secondsMin: number): SessionWish {
  refuseUnknown(form, CREATE_PARAMS);
  if (optionalText(form, "mode") === undefined) throw missingParam("mode");
  optionalChoice(form, "mode", ["payment"]);
  optionalChoice(form, "ui_mode", ["hosted", "hosted_page"]);
  const successUrl = urlParam(form, "success_url");
  if (successUrl === undefined) throw missingParam("success_url");
  const created = Math.floor(nowMs / 1_000);
  const cancelUrl = urlParam(form, "cancel_url");
  const reference = optionalText(form, "client_reference_id");
  const email = optionalText(form, "customer_email");
  const extra = kept(form, KEPT);
  return {
    created,
    expires_at: expiresAtParam(form, created, secondsMin),
    ...linesParam(form, nowMs),
    success_url: successUrl,
    ...(cancelUrl === undefined ? {} : { cancel_url: cancelUrl }),
    metadata: metadataParam(form),
    methods: sessionMethods(form),
    payment: paymentParam(form),
    ...(reference === undefined ? {} : { client_reference_id: reference }),
    ...(email === undefined ? {} : { customer_email: email }),
    ...(extra === undefined ? {} : { extra }),
  };
}
