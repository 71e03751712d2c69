import { cardNamed } from "./cards.ts";
import { intentAnswer, planConfirmation } from "./charging.ts";
import type { Faults } from "./faults.ts";
import type { FormMap } from "./form.ts";
import { newId, randomText } from "./ids.ts";
import {
  amountParam,
  CONFIRM_PARAMS,
  CREATE_PARAMS,
  currencyParam,
  expandParam,
  keptParams,
  methodParam,
  methodsParam,
  multicaptureParam,
  refuseCustomer,
  type ChosenMethod,
} from "./intent-params.ts";
import { metadataParam, optionalBoolean, optionalChoice, optionalText, refuseUnknown } from "./params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import { loadIntent, OF_A_PAGE, stateConflict, withShownCharge } from "./intent-state.ts";
import { findPaymentMethod, onceFaultCount } from "./queries.ts";
import type { IntentRecord } from "./records.ts";
import type { Store } from "./store.ts";
import { invalidRequest } from "./stripe-error.ts";

const CAPTURE_METHODS = ["automatic", "automatic_async", "manual"] as const;
const RETURN_URL_NEEDED =
  "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of " +
  "these payment methods might redirect your customer off of your page, you must provide a `return_url`. " +
  "If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to " +
  "`true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and " +
  "Payment Intents.";
const RETURN_URL_TOO_EARLY =
  "The parameter `return_url` cannot be passed when creating a PaymentIntent unless confirm is set to true.";
const ALREADY_CONFIRMED =
  "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.";
const METHOD_NEEDED =
  "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the " +
  "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a " +
  "payment method or ConfirmationToken.";

interface Parts {
  store: Store;
  faults: Faults;
  config: { authorization_seconds: number; roll_forward_seconds: number };
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
  if (
    "allow_redirects" in intent.methods &&
    intent.methods.allow_redirects === "always" &&
    intent.return_url === undefined
  ) {
    throw invalidRequest(RETURN_URL_NEEDED);
  }
  const decision = await parts.faults.decide(method.card, intent.metadata, (key) =>
    onceFaultCount(parts.store.reads, key),
  );
  const end = Math.floor(facts.now_ms / 1_000) + parts.config.authorization_seconds;
  const plan = planConfirmation(
    {
      before: intent,
      method,
      decision,
      capture_before: intent.capture_method === "manual" ? end : null,
      expand,
      earlier: created ? ["payment_intent.created"] : [],
      roll_forward_seconds: parts.config.roll_forward_seconds,
    },
    facts,
  );
  return withShownCharge(parts.store, plan);
}

function returnParams(
  return_url: string | undefined,
  { origin }: RequestFacts,
): Pick<IntentRecord, "return_url" | "origin"> {
  return return_url === undefined ? {} : { return_url, ...(origin === undefined ? {} : { origin }) };
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
  const multicapture = multicaptureParam(form);
  const intent: IntentRecord = {
    id: newId("pi", facts.now_ms),
    version: 1,
    created: Math.floor(facts.now_ms / 1_000),
    secret: randomText(25),
    amount,
    currency,
    status: "requires_payment_method",
    capture_method: optionalChoice(form, "capture_method", CAPTURE_METHODS) ?? "automatic_async",
    confirmation_method: optionalChoice(form, "confirmation_method", ["automatic", "manual"]) ?? "automatic",
    metadata: metadataParam(form),
    methods: methodsParam(form),
    ...(multicapture === undefined ? {} : { request_multicapture: multicapture }),
    ...(extra === undefined ? {} : { extra }),
    ...returnParams(returnUrl, facts),
  };
  const method = await chosenMethod(parts, form, facts);
  if (confirm) {
    if (method === null) throw invalidRequest(METHOD_NEEDED, { code: "payment_intent_unexpected_state" });
    return confirmPlan(parts, intent, method, facts, expand, true);
  }
  const created: IntentRecord =
    method === null
      ? intent
      : { ...intent, status: "requires_confirmation", payment_method: method.id, card: method.card.name };
  return {
    status: 200,
    answer: intentAnswer(expand),
    writes: { intent: created, events: ["payment_intent.created"] },
    transport: "normal",
  };
}

/** POST /v1/payment_intents/:id/confirm */
export async function confirmIntent(
  parts: Parts,
  id: string,
  form: FormMap,
  facts: RequestFacts,
): Promise<Plan> {
  refuseUnknown(form, CONFIRM_PARAMS);
  const expand = expandParam(form);
  const intent = await loadIntent(parts.store, id);
  if (intent.checkout_session !== undefined) return stateConflict(OF_A_PAGE, intent);
  if (intent.status === "succeeded" || intent.status === "requires_capture") {
    return stateConflict(ALREADY_CONFIRMED, intent);
  }
  if (intent.status === "canceled") {
    return stateConflict(
      "You cannot confirm this PaymentIntent because it has a status of canceled.",
      intent,
    );
  }
  const given = await chosenMethod(parts, form, facts);
  const kept =
    intent.payment_method === undefined || intent.card === undefined
      ? null
      : { id: intent.payment_method, card: cardNamed(intent.card) };
  const method = given ?? kept;
  if (method === null) return stateConflict(METHOD_NEEDED, intent);
  const returnUrl = optionalText(form, "return_url");
  const changes = keptParams(form);
  const multicapture = multicaptureParam(form);
  const before: IntentRecord = {
    ...intent,
    version: intent.version + 1,
    capture_method: optionalChoice(form, "capture_method", CAPTURE_METHODS) ?? intent.capture_method,
    ...(multicapture === undefined ? {} : { request_multicapture: multicapture }),
    ...(changes === undefined ? {} : { extra: { ...intent.extra, ...changes } }),
    ...returnParams(returnUrl, facts),
  };
  return confirmPlan(parts, before, method, facts, expand, false);
}
