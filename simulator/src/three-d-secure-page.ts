import { authenticated, cardNamed } from "./cards.ts";
import { failedAuthentication, planConfirmation } from "./charging.ts";
import { quietPlan, type PaymentParts } from "./checkout-payment.ts";
import { authenticationView, messageView } from "./checkout-views.ts";
import type { FormMap } from "./form.ts";
import type { Idempotency, Reply } from "./idempotency.ts";
import { redirect, show } from "./page-reply.ts";
import type { Plan } from "./plan.ts";
import { findIntent, onceFaultCount } from "./queries.ts";
import type { IntentRecord } from "./records.ts";

export interface PageParts extends PaymentParts {
  idempotency: Idempotency;
  config: { authorization_seconds: number };
}

export interface AuthenticationRequest {
  method: string;
  /** The intent's id and secret, from the address. */
  id: string;
  secret: string;
  params: FormMap;
}

const INTENT_ID = /^pi_\w+$/;

function unknown(): Reply {
  return show(
    404,
    messageView({ title: "There is no such payment", text: "Return to the shop.", mark: "closed" }),
  );
}

/** The parameters that Stripe adds to the return URL; they are for the shop's page and prove nothing. */
function backToShop(intent: IntentRecord): Reply {
  const url = new URL(intent.return_url ?? "about:blank");
  url.searchParams.set("payment_intent", intent.id);
  url.searchParams.set("payment_intent_client_secret", `${intent.id}_secret_${intent.secret}`);
  const isPaid = intent.status === "succeeded" || intent.status === "requires_capture";
  url.searchParams.set("redirect_status", isPaid ? "succeeded" : "failed");
  return redirect(url.href);
}

/**
 * Answers `/c/3d_secure_2/<intent>/<secret>`: where the buyer of a confirmed intent passes or fails 3-D
 * Secure.
 */
export function threeDSecurePage(parts: PageParts): (request: AuthenticationRequest) => Promise<Reply> {
  const { store, faults, idempotency, config } = parts;

  const find = async (id: string, secret: string): Promise<IntentRecord | null> => {
    const intent = INTENT_ID.test(id) ? await findIntent(store.reads, id) : null;
    return intent?.secret === secret && intent.return_url !== undefined ? intent : null;
  };

  const decide = async (id: string, secret: string, passed: boolean): Promise<{ plan: Plan | null }> => {
    const intent = await find(id, secret);
    if (intent?.status !== "requires_action" || intent.card === undefined) return { plan: null };
    const before = { ...intent, version: intent.version + 1 };
    const method = { id: intent.payment_method ?? "", card: cardNamed(intent.card) };
    if (!passed) return { plan: quietPlan(failedAuthentication(before, method)) };
    const now_ms = Date.now();
    const end = Math.floor(now_ms / 1_000) + config.authorization_seconds;
    const decision = await faults.decide(
      authenticated(method.card),
      before.metadata,
      (key) => onceFaultCount(store.reads, key),
      "page",
    );
    const capture_before = intent.capture_method === "manual" ? end : null;
    const { writes } = planConfirmation(
      { before, method, decision, capture_before, expand: [], earlier: [], roll_forward_seconds: 0 },
      { request_id: "", idempotency_key: null, now_ms },
    );
    return { plan: quietPlan(writes) };
  };

  return async ({ method, id, secret, params }) => {
    const intent = await find(id, secret);
    if (intent === null) return unknown();
    const result = params.get("result");
    if (method === "POST" && (result === "complete" || result === "fail")) {
      await idempotency.act(() => decide(id, secret, result === "complete"));
      return backToShop((await find(id, secret)) ?? intent);
    }
    if (intent.status !== "requires_action" || intent.card === undefined) return backToShop(intent);
    return show(200, authenticationView(intent, intent.card, `/c/3d_secure_2/${id}/${secret}`));
  };
}
