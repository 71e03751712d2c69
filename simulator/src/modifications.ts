import { endAuthorization } from "./authorization-expiry.ts";
import { authorizationOf, canceled, captured, isOver, released } from "./authorizations.ts";
import { crashedPlan, intentAnswer, rolledForwardPlan } from "./charging.ts";
import { strikesFirst, transportOf, type FaultName } from "./fault-names.ts";
import { FaultStrike } from "./faults.ts";
import type { FormMap } from "./form.ts";
import type { Idempotency } from "./idempotency.ts";
import { expandParam } from "./intent-params.ts";
import { loadIntent, OF_A_PAGE, stateConflict, withShownCharge } from "./intent-state.ts";
import { metadataParam, optionalBoolean, optionalChoice, optionalInteger, refuseUnknown } from "./params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import type { IntentRecord, IntentStatus, Writes } from "./records.ts";
import { capturable } from "./render.ts";
import type { Store } from "./store.ts";
import { invalidRequest } from "./stripe-error.ts";

const CAPTURE_PARAMS: ReadonlySet<string> = new Set([
  "amount_to_capture",
  "expand",
  "final_capture",
  "metadata",
]);
const CANCEL_PARAMS: ReadonlySet<string> = new Set(["cancellation_reason", "expand"]);
const CANCELLATION_REASONS = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"] as const;
const CANCELABLE: readonly IntentStatus[] = [
  "requires_payment_method",
  "requires_capture",
  "requires_confirmation",
  "requires_action",
];
const ONE_CAPTURE_ONLY =
  "Multicapture is not available for this PaymentIntent: `final_capture` cannot be false. Request it with " +
  "`payment_method_options[card][request_multicapture]`.";

interface Parts {
  store: Store;
  idempotency: Idempotency;
  config: { roll_forward_seconds: number };
}

type Modify = (parts: Parts, id: string, form: FormMap, facts: RequestFacts) => Promise<Plan>;

/** The intent as it is now: an authorisation whose time is up has ended, even if the clock is late. */
async function load(parts: Parts, id: string, { now_ms }: RequestFacts): Promise<IntentRecord> {
  const intent = await loadIntent(parts.store, id);
  if (!isOver(intent, now_ms)) return intent;
  await endAuthorization(parts, id);
  return loadIntent(parts.store, id);
}

function shown(parts: Parts, writes: Writes, expand: readonly string[]): Promise<Plan> {
  return withShownCharge(parts.store, {
    status: 200,
    answer: intentAnswer(expand),
    writes,
    transport: "normal",
  });
}

function captureAmount(form: FormMap, intent: IntentRecord): number {
  const most = capturable(intent);
  const amount = optionalInteger(form, "amount_to_capture") ?? most;
  if (amount >= 1 && amount <= most) return amount;
  throw invalidRequest(`Invalid amount_to_capture: it must be from 1 to the amount capturable, ${most}.`, {
    code: amount < 1 ? "parameter_invalid_integer" : "amount_too_large",
    param: "amount_to_capture",
  });
}

/** POST /v1/payment_intents/:id/capture */
const captureIntent: Modify = async (parts, id, form, facts) => {
  refuseUnknown(form, CAPTURE_PARAMS);
  const expand = expandParam(form);
  const isFinal = optionalBoolean(form, "final_capture") ?? true;
  const intent = await load(parts, id, facts);
  if (intent.status !== "requires_capture") {
    return stateConflict(
      `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent ` +
        "with one of the following statuses may be captured: requires_capture.",
      intent,
    );
  }
  const amount = captureAmount(form, intent);
  const metadata = { ...intent.metadata, ...metadataParam(form) };
  const authorization = await authorizationOf(parts.store, intent);
  if (!isFinal && authorization.charge.multicapture !== "available") {
    throw invalidRequest(ONE_CAPTURE_ONLY, { param: "final_capture" });
  }
  return shown(parts, captured(authorization, { amount, is_final: isFinal, metadata }, facts.now_ms), expand);
};

/** POST /v1/payment_intents/:id/cancel */
const cancelIntent: Modify = async (parts, id, form, facts) => {
  refuseUnknown(form, CANCEL_PARAMS);
  const expand = expandParam(form);
  const reason = optionalChoice(form, "cancellation_reason", CANCELLATION_REASONS);
  const intent = await load(parts, id, facts);
  if (intent.checkout_session !== undefined) return stateConflict(OF_A_PAGE, intent);
  if (!CANCELABLE.includes(intent.status)) {
    return stateConflict(
      `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with ` +
        `one of the following statuses may be canceled: ${CANCELABLE.join(", ")}, processing.`,
      intent,
    );
  }
  if (intent.status === "requires_capture") {
    return shown(parts, released(await authorizationOf(parts.store, intent), reason, facts.now_ms), expand);
  }
  const after = canceled({ ...intent, version: intent.version + 1 }, reason, facts.now_ms);
  return shown(parts, { intent: after, events: ["payment_intent.canceled"] }, expand);
};

/** The plan as a fault leaves it. One that strikes before anything happens is thrown. */
function struck(plan: Plan, fault: FaultName | undefined, seconds: number, facts: RequestFacts): Plan {
  if (fault === undefined) return plan;
  if (strikesFirst(fault)) throw new FaultStrike(fault);
  if (fault === "500_before") return crashedPlan({});
  if (fault === "500_after_charge") return crashedPlan(plan.writes);
  if (fault === "500_rolled_forward") return rolledForwardPlan(plan.writes, seconds, facts);
  return { ...plan, transport: transportOf(fault) };
}

/** A capture or a cancel, which meets the planned faults unless it is refused. */
function modification(modify: Modify) {
  return async (
    parts: Parts,
    id: string,
    form: FormMap,
    facts: RequestFacts,
    fault: () => FaultName | undefined,
  ): Promise<Plan> => {
    const plan = await modify(parts, id, form, facts);
    return plan.status === 200 ? struck(plan, fault(), parts.config.roll_forward_seconds, facts) : plan;
  };
}

/** By the last part of their path. */
export const MODIFICATIONS: ReadonlyMap<string, ReturnType<typeof modification>> = new Map([
  ["capture", modification(captureIntent)],
  ["cancel", modification(cancelIntent)],
]);
