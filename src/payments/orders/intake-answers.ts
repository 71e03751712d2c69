import type { Transaction } from "../../db/db.ts";
import { insertAnswers, textOfKey } from "../../idempotency/idempotency.ts";
import { missing, type IntakeRequest, type Stored } from "./intake-rows.ts";
import type { ClassifiedRequest } from "./classify-requests.ts";
import { selectCheckout, selectOrdersOfCheckouts } from "../store/queries.ts";
import { acceptedView } from "../views/views.ts";

/** The body of the first answer by checkout: of those created now, and rebuilt for those known before. */
export async function firstAnswers(
  tx: Transaction,
  classified: readonly ClassifiedRequest[],
  stored: ReadonlyMap<string, Stored>,
  created_at: string,
): Promise<Map<string, string>> {
  const bodies = new Map<string, string>();
  for (const one of classified) {
    if (!("created" in one) || isHosted(one.created)) continue;
    const { checkout } = one.created;
    const risk_decision = (stored.get(checkout.checkout_id) ?? missing()).verdict.decision;
    const orders = checkout.orders.map(({ money, ...order }) => ({ ...order, ...money }));
    const { checkout_id } = checkout;
    const view = acceptedView({ checkout_id, risk_decision, created_at }, orders);
    bodies.set(checkout_id, JSON.stringify(view));
  }
  const before = classified.flatMap((one) =>
    "repeats" in one && !isHosted(one.repeats) && !bodies.has(one.repeats.checkout.checkout_id)
      ? one.repeats.checkout.checkout_id
      : [],
  );
  const orders = before.length === 0 ? [] : await selectOrdersOfCheckouts(tx, before);
  for (const checkoutId of new Set(before)) {
    const event = await selectCheckout(tx, checkoutId);
    if (event === undefined) throw new Error(`the checkout ${checkoutId} is missing`);
    const own = orders.filter((order) => order.checkout_id === checkoutId);
    bodies.set(checkoutId, JSON.stringify(acceptedView(event, own)));
  }
  return bodies;
}

export async function storeAnswers(
  tx: Transaction,
  classified: readonly ClassifiedRequest[],
  bodies: ReadonlyMap<string, string>,
  { lifetime_hours, at }: { readonly lifetime_hours: number; readonly at: Date },
): Promise<void> {
  const answers = new Map(
    classified.flatMap((one) => {
      const request = acceptedRequest(one);
      if (request === undefined || isHosted(request)) return [];
      const answer = answerRow(request, bodies.get(request.checkout.checkout_id) ?? "", lifetime_hours);
      return answer === null ? [] : [[textOfKey(answer), answer] as const];
    }),
  );
  await insertAnswers(tx, [...answers.values()], at);
}

function acceptedRequest(one: ClassifiedRequest): IntakeRequest | undefined {
  if ("created" in one) return one.created;
  return "repeats" in one ? one.repeats : undefined;
}

/** What is kept under the request's Idempotency-Key, if it has one. */
export function answerRow(request: IntakeRequest, response_body: string, lifetime_hours: number) {
  const { idempotency_key, fingerprint } = request;
  return idempotency_key === null
    ? null
    : { ...idempotency_key, fingerprint, lifetime_hours, response_status: 202, response_body };
}

const isHosted = ({ checkout }: IntakeRequest): boolean => "hosted_page" in checkout.payment_method;
