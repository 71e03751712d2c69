import { cardNamed } from "./cards.ts";
import { intentAnswer, planConfirmation } from "./charging.ts";
import type { Faults } from "./faults.ts";
import type { FormMap } from "./form.ts";
import { newId, randomText } from "./ids.ts";
import {
  amountParam, CONFIRM_PARAMS, CREATE_PARAMS, currencyParam, expandParam, keptParams, methodParam, methodsParam,
  refuseCustomer, type ChosenMethod,
} from "./intent-params.ts";
import {
  metadataParam, optionalBoolean, optionalChoice, optionalInteger, optionalText, refuseUnknown,
} from "./params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import { findCharge, findIntent, findPaymentMethod, onceFaultCount } from "./queries.ts";
import type { ChargeRecord, IntentRecord, IntentStatus } from "./records.ts";
import { renderIntent } from "./render.ts";
import type { Store } from "./store.ts";
import { invalidRequest, missingObject } from "./stripe-error.ts";

const CAPTURE_METHODS = ["automatic", "automatic_async", "manual"] as const;
const CAPTURE_PARAMS: ReadonlySet<string> = new Set(["amount_to_capture", "expand", "final_capture", "metadata"]);
const CANCEL_PARAMS: ReadonlySet<string> = new Set(["cancellation_reason", "expand"]);
const CANCELLATION_REASONS = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"] as const;
const CANCELABLE: readonly IntentStatus[] = [
  "requires_payment_method", "requires_capture", "requires_confirmation", "requires_action",
];
const RETURN_URL_NEEDED =
  "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these " +
  "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want " +
  "to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and " +
  "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.";
const RETURN_URL_TOO_EARLY =
  "The parameter `return_url` cannot be passed when creating a PaymentIntent unless confirm is set to true.";
const ALREADY_CONFIRMED =
  "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.";
const OF_A_PAGE =
  "You cannot perform this action on PaymentIntents created by Checkout. To cancel, expire the Checkout Session instead.";
const METHOD_NEEDED =
  "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the " +
  "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method " +
  "or ConfirmationToken.";

interface Parts {
  store: Store;
  faults: Faults;
}

/** A 400 about the intent's state. The request did execute, so the answer is kept under its key. */
function stateConflict(message: string, intent: IntentRecord): Plan {
  const error = invalidRequest(message, {
    code: "payment_intent_unexpected_state", payment_intent: renderIntent(intent),
  });
  return { status: 400, answer: { kind: "body", body: error.body() }, writes: {}, transport: "normal" };
}

async function loadIntent({ store }: Parts, id: string): Promise<IntentRecord> {
  const intent = await findIntent(store.reads, id);
  if (intent === null) throw missingObject("payment_intent", id, "intent", 404);
  return intent;
}

function chosenMethod({ store }: Parts, form: FormMap, facts: RequestFacts): Promise<ChosenMethod | null> {
  return methodParam(form, facts.now_ms, (id) => findPaymentMethod(store.reads, id), cardNamed);
}

async function confirmPlan(
  parts: Parts,
  intent: IntentRecord,
  method: ChosenMethod,
  facts: RequestFacts,
  expand: readonly string[],
  created: boolean,
): Promise<Plan> {
  if ("allow_redirects" in intent.methods && intent.methods.allow_redirects === "always" &&
    intent.return_url === undefined) {
    throw invalidRequest(RETURN_URL_NEEDED);
  }
  const decision = await parts.faults.decide(method.card, intent.metadata,
    (key) => onceFaultCount(parts.store.reads, key));
  const earlier = created ? (["payment_intent.created"] as const) : [];
  return planConfirmation(intent, method, decision, facts, expand, earlier);
}

/** POST /v1/payment_intents */
export async function createIntent(parts: Parts, form: FormMap, facts: RequestFacts): Promise<Plan> {
  refuseUnknown(form, CREATE_PARAMS);
  const amount = amountParam(form);
  const currency = currencyParam(form, amount);
  refuseCustomer(form);
  const expand = expandParam(form);
  const returnUrl = optionalText(form, "return_url");
  const confirm = optionalBoolean(form, "confirm") === true;
  if (returnUrl !== undefined && !confirm) {
    throw invalidRequest(RETURN_URL_TOO_EARLY, { param: "return_url" });
  }
  const extra = keptParams(form);
  const intent: IntentRecord = {
    id: newId("pi", facts.now_ms), version: 1, created: Math.floor(facts.now_ms / 1_000), secret: randomText(25),
    amount, currency, status: "requires_payment_method",
    capture_method: optionalChoice(form, "capture_method", CAPTURE_METHODS) ?? "automatic_async",
    confirmation_method: optionalChoice(form, "confirmation_method", ["automatic", "manual"]) ?? "automatic",
    metadata: metadataParam(form), methods: methodsParam(form),
    ...(extra === undefined ? {} : { extra }), ...(returnUrl === undefined ? {} : { return_url: returnUrl }),
  };
  const method = await chosenMethod(parts, form, facts);
  if (confirm) {
    if (method === null) throw invalidRequest(METHOD_NEEDED, { code: "payment_intent_unexpected_state" });
    return confirmPlan(parts, intent, method, facts, expand, true);
  }
  const created: IntentRecord =
    method === null ? intent
    : { ...intent, status: "requires_confirmation", payment_method: method.id, card: method.card.name };
  return {
    status: 200, answer: intentAnswer(expand), writes: { intent: created, events: ["payment_intent.created"] },
    transport: "normal",
  };
}

/** POST /v1/payment_intents/:id/confirm */
export async function confirmIntent(parts: Parts, id: string, form: FormMap, facts: RequestFacts): Promise<Plan> {
  refuseUnknown(form, CONFIRM_PARAMS);
  const expand = expandParam(form);
  const intent = await loadIntent(parts, id);
  if (intent.checkout_session !== undefined) return stateConflict(OF_A_PAGE, intent);
  if (intent.status === "succeeded" || intent.status === "requires_capture") {
    return stateConflict(ALREADY_CONFIRMED, intent);
  }
  if (intent.status === "canceled") {
    return stateConflict("You cannot confirm this PaymentIntent because it has a status of canceled.", intent);
  }
  const given = await chosenMethod(parts, form, facts);
  const kept = intent.payment_method === undefined || intent.card === undefined ? null
    : { id: intent.payment_method, card: cardNamed(intent.card) };
  const method = given ?? kept;
  if (method === null) return stateConflict(METHOD_NEEDED, intent);
  const returnUrl = optionalText(form, "return_url");
  const changes = keptParams(form);
  const before: IntentRecord = {
    ...intent, version: intent.version + 1,
    capture_method: optionalChoice(form, "capture_method", CAPTURE_METHODS) ?? intent.capture_method,
    ...(changes === undefined ? {} : { extra: { ...intent.extra, ...changes } }),
    ...(returnUrl === undefined ? {} : { return_url: returnUrl }),
  };
  return confirmPlan(parts, before, method, facts, expand, false);
}

async function authorisedCharge(parts: Parts, intent: IntentRecord): Promise<ChargeRecord> {
  const charge = await findCharge(parts.store.reads, intent.latest_charge ?? "");
  if (charge === null) throw new Error(`intent ${intent.id} waits for capture without a charge`);
  return charge;
}

/** POST /v1/payment_intents/:id/capture */
export async function captureIntent(parts: Parts, id: string, form: FormMap, facts: RequestFacts): Promise<Plan> {
  refuseUnknown(form, CAPTURE_PARAMS);
  const expand = expandParam(form);
  const intent = await loadIntent(parts, id);
  if (intent.status !== "requires_capture") {
    return stateConflict(
      `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent ` +
      "with one of the following statuses may be captured: requires_capture.", intent,
    );
  }
  const amount = optionalInteger(form, "amount_to_capture") ?? intent.amount;
  if (amount < 1 || amount > intent.amount) {
    throw invalidRequest(`Invalid amount_to_capture: it must be from 1 to the amount capturable, ${intent.amount}.`, {
      code: amount < 1 ? "parameter_invalid_integer" : "amount_too_large", param: "amount_to_capture",
    });
  }
  const metadata = { ...intent.metadata, ...metadataParam(form) };
  const authorised = await authorisedCharge(parts, intent);
  const charge: ChargeRecord = {
    ...authorised, captured: true, amount_captured: amount, amount_refunded: intent.amount - amount,
  };
  const after: IntentRecord = {
    ...intent, version: intent.version + 1, status: "succeeded", amount_received: amount, metadata,
  };
  return {
    status: 200, answer: intentAnswer(expand),
    writes: {
      intent: after, charge, events: ["charge.captured", "payment_intent.succeeded"],
      effect: {
        kind: "charge_captured", payment_intent: id, charge: charge.id, amount_minor: amount, currency: intent.currency,
        card: charge.card, metadata, created_ms: facts.now_ms,
      },
    },
    transport: "normal",
  };
}

/** POST /v1/payment_intents/:id/cancel */
export async function cancelIntent(parts: Parts, id: string, form: FormMap, facts: RequestFacts): Promise<Plan> {
  refuseUnknown(form, CANCEL_PARAMS);
  const expand = expandParam(form);
  const reason = optionalChoice(form, "cancellation_reason", CANCELLATION_REASONS);
  const intent = await loadIntent(parts, id);
  if (intent.checkout_session !== undefined) return stateConflict(OF_A_PAGE, intent);
  if (!CANCELABLE.includes(intent.status)) {
    return stateConflict(
      `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with ` +
      `one of the following statuses may be canceled: ${CANCELABLE.join(", ")}, processing.`, intent,
    );
  }
  const released: { charge?: ChargeRecord } = {};
  if (intent.status === "requires_capture") {
    released.charge = { ...(await authorisedCharge(parts, intent)), amount_refunded: intent.amount };
  }
  const after: IntentRecord = {
    ...intent, version: intent.version + 1, status: "canceled", canceled_at: Math.floor(facts.now_ms / 1_000),
    ...(reason === undefined ? {} : { cancellation_reason: reason }),
  };
  return {
    status: 200, answer: intentAnswer(expand),
    writes: { intent: after, ...released, events: ["payment_intent.canceled"] },
    transport: "normal",
  };
}
