import { cardOfTestMethod } from "./cards.ts";
import type { FormMap } from "./form.ts";
import { newId } from "./ids.ts";
import { cardParam } from "./intent-params.ts";
import { metadataParam, missingParam, optionalMap, optionalText, refuseUnknown } from "./params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import { findPaymentMethod } from "./queries.ts";
import type { PaymentMethodRecord } from "./records.ts";
import { renderPaymentMethod } from "./render-payment-method.ts";
import type { Store } from "./store.ts";
import { invalidRequest, missingObject } from "./stripe-error.ts";

const CREATE_PARAMS: ReadonlySet<string> = new Set([
  "allow_redisplay",
  "billing_details",
  "card",
  "expand",
  "metadata",
  "type",
]);

/** POST /v1/payment_methods: a saved card from a token or a test number. */
export function createPaymentMethod(form: FormMap, facts: RequestFacts): Plan {
  refuseUnknown(form, CREATE_PARAMS);
  const type = optionalText(form, "type");
  if (type === undefined) throw missingParam("type");
  if (type !== "card") throw invalidRequest(`Invalid type: ${type}`, { param: "type" });
  const data = optionalMap(form, "card");
  if (data === undefined) throw missingParam("card");
  const record: PaymentMethodRecord = {
    id: newId("pm", facts.now_ms),
    created: Math.floor(facts.now_ms / 1_000),
    card: cardParam(data, "card").name,
    metadata: metadataParam(form),
  };
  return {
    status: 200,
    answer: { kind: "body", body: renderPaymentMethod(record) },
    writes: { payment_method: record },
    transport: "normal",
  };
}

/** GET /v1/payment_methods/:id, for saved cards and for the test cards `pm_card_…`. */
export async function retrievePaymentMethod(store: Store, id: string, nowMs: number): Promise<unknown> {
  const test = cardOfTestMethod(id);
  if (test !== undefined) {
    return renderPaymentMethod({ id, created: Math.floor(nowMs / 1_000), card: test.name, metadata: {} });
  }
  const record = await findPaymentMethod(store.reads, id);
  if (record === null) throw missingObject("PaymentMethod", id, "payment_method", 404);
  return renderPaymentMethod(record);
}
