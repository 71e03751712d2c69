import {
  createSession,
  expireSession,
  listAllSessions,
  listSessionLines,
  retrieveSession,
} from "./checkout-sessions.ts";
import { listAllEvents, retrieveEvent } from "./event-lists.ts";
import type { ExpiryClock } from "./expiry-clock.ts";
import type { FormMap } from "./form.ts";
import type { Faults } from "./faults.ts";
import { intentIdOfCharge } from "./ids.ts";
import type { Idempotency, KeyedRequest, Reply } from "./idempotency.ts";
import { listAllCharges, listPaymentIntents, retrievePaymentIntent, searchPaymentIntents } from "./lists.ts";
import { MODIFICATIONS } from "./modifications.ts";
import { confirmIntent, createIntent } from "./payment-intents.ts";
import { createPaymentMethod, retrievePaymentMethod } from "./payment-methods.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import { findCharge } from "./queries.ts";
import { renderCharge } from "./render-charge.ts";
import { renderEndpoint } from "./render.ts";
import type { Store } from "./store.ts";
import { missingObject, StripeError } from "./stripe-error.ts";
import { createEndpoint, type WebhookEndpoints } from "./webhook-endpoints.ts";

export interface StripeParts {
  store: Store;
  faults: Faults;
  endpoints: WebhookEndpoints;
  idempotency: Idempotency;
  clocks: { sessions: ExpiryClock; authorizations: ExpiryClock; rolled_forward: ExpiryClock };
  config: { session_seconds_min: number; authorization_seconds: number; roll_forward_seconds: number };
}

/** A request to the Stripe API, decoded. */
export interface StripeRequest extends KeyedRequest {
  method: string;
  /** Path parts after `/v1/`. */
  path: readonly string[];
  params: FormMap;
  /** Where the client reached the simulator. */
  origin: string;
}

function ok(body: unknown): Reply {
  return { status: 200, body: JSON.stringify(body), transport: "normal" };
}

function unknownUrl(request: StripeRequest): StripeError {
  return new StripeError(
    404,
    "invalid_request_error",
    `Unrecognized request URL (${request.method}: /v1/${request.path.join("/")}). The simulator does not know it.`,
  );
}

async function charge(parts: StripeParts, id: string): Promise<Reply> {
  const found = await findCharge(parts.store.reads, id);
  if (found === null || found.payment_intent !== intentIdOfCharge(id))
    throw missingObject("charge", id, "charge", 404);
  return ok(renderCharge(found));
}

function endpoint(parts: StripeParts, id: string): Reply {
  const found = parts.endpoints.get(id);
  if (found === undefined) throw missingObject("webhook endpoint", id, "id", 404);
  return ok(renderEndpoint(found, false));
}

async function readSession({ store }: StripeParts, request: StripeRequest): Promise<Reply> {
  const [, object, id, lines, extra] = request.path;
  if (object !== "sessions" || extra !== undefined) throw unknownUrl(request);
  if (id === undefined) return ok(await listAllSessions(store, request.params));
  if (lines === undefined) return ok(await retrieveSession(store, id, request.params));
  if (lines !== "line_items") throw unknownUrl(request);
  return ok(await listSessionLines(store, id, request.params));
}

async function read(parts: StripeParts, request: StripeRequest): Promise<Reply> {
  const [collection, id, extra] = request.path;
  const { store } = parts;
  if (collection === "checkout") return readSession(parts, request);
  if (extra !== undefined) throw unknownUrl(request);
  switch (collection) {
    case "payment_intents":
      if (id === undefined) return ok(await listPaymentIntents(store, request.params));
      if (id === "search") return ok(await searchPaymentIntents(store, request.params));
      return ok(await retrievePaymentIntent(store, id, request.params));
    case "charges":
      return id === undefined ? ok(await listAllCharges(store, request.params)) : charge(parts, id);
    case "events":
      return id === undefined
        ? ok(await listAllEvents(store, request.params))
        : ok(await retrieveEvent(store, id));
    case "payment_methods":
      if (id === undefined) throw unknownUrl(request);
      return ok(await retrievePaymentMethod(store, id, Date.now()));
    case "webhook_endpoints":
      if (id !== undefined) return endpoint(parts, id);
      return ok({
        object: "list",
        data: parts.endpoints.all().map((found) => renderEndpoint(found, false)),
        has_more: false,
        url: "/v1/webhook_endpoints",
      });
    default:
      throw unknownUrl(request);
  }
}

/** `lookFirst`: the plan depends on what is stored. */
interface Writer {
  plan: (facts: RequestFacts) => Promise<Plan>;
  lookFirst: boolean;
}

function sessionWriter(parts: StripeParts, { path, params, origin }: StripeRequest): Writer | undefined {
  const [, object, id, action, extra] = path;
  if (object !== "sessions" || extra !== undefined) return undefined;
  if (id === undefined) {
    const { session_seconds_min: seconds_min } = parts.config;
    return { lookFirst: false, plan: async (facts) => createSession(params, facts, { origin, seconds_min }) };
  }
  if (action !== "expire") return undefined;
  return { plan: (facts) => expireSession(parts.store, id, params, facts), lookFirst: true };
}

function intentWriter(parts: StripeParts, id: string, { path, params }: StripeRequest): Writer | undefined {
  const [, , action = ""] = path;
  if (action === "confirm")
    return { plan: (facts) => confirmIntent(parts, id, params, facts), lookFirst: true };
  const modify = MODIFICATIONS.get(action);
  if (modify === undefined) return undefined;
  const fault = parts.faults.forModification();
  return { plan: (facts) => modify(parts, id, params, facts, fault), lookFirst: true };
}

/** The handler of a POST, or undefined. */
function writer(parts: StripeParts, request: StripeRequest): Writer | undefined {
  const { params } = request;
  const [collection, id, , extra] = request.path;
  if (collection === "checkout") return sessionWriter(parts, request);
  if (extra !== undefined) return undefined;
  if (collection === "payment_intents" && id === undefined) {
    return { plan: (facts) => createIntent(parts, params, facts), lookFirst: false };
  }
  if (collection === "payment_intents" && id !== undefined) return intentWriter(parts, id, request);
  if (id !== undefined) return undefined;
  if (collection === "payment_methods") {
    return { plan: async (facts) => createPaymentMethod(params, facts), lookFirst: false };
  }
  if (collection === "webhook_endpoints") {
    return { plan: async (facts) => createEndpoint(params, facts), lookFirst: false };
  }
  return undefined;
}

/** Tells the clocks what a request may have left that ends by itself. */
function noticeEnds({ clocks }: StripeParts, plan: Plan | undefined): void {
  const { session, intent, rolled_forward } = plan?.writes ?? {};
  if (rolled_forward !== undefined) clocks.rolled_forward.notice(rolled_forward.due_at);
  if (session?.status === "open") clocks.sessions.notice(session.expires_at);
  if (intent?.status === "requires_capture" && intent.capture_before !== undefined) {
    clocks.authorizations.notice(intent.capture_before);
  }
}

async function write(parts: StripeParts, request: StripeRequest): Promise<Reply> {
  const found = writer(parts, request);
  if (found === undefined) throw unknownUrl(request);
  const { request_id, idempotency_key, origin } = request;
  let planned: Plan | undefined;
  const makePlan = async (): Promise<Plan> => {
    planned = await found.plan({ request_id, idempotency_key, now_ms: Date.now(), origin });
    return planned;
  };
  try {
    const reply = await parts.idempotency.execute(request, makePlan, found.lookFirst);
    if (request.path[0] === "webhook_endpoints") await parts.endpoints.load();
    return reply;
  } finally {
    // Once it is stored, so that the clock does not look too early; also when its commit's answer was lost.
    noticeEnds(parts, planned);
  }
}

/** Answers requests to `/v1/…`. Throws `StripeError` and `FaultStrike`. */
export function stripeRoutes(parts: StripeParts): (request: StripeRequest) => Promise<Reply> {
  return async (request) => {
    const [collection, id, extra] = request.path;
    if (request.method === "GET") return read(parts, request);
    if (request.method === "POST") return write(parts, request);
    if (
      request.method === "DELETE" &&
      collection === "webhook_endpoints" &&
      id !== undefined &&
      extra === undefined
    ) {
      await parts.endpoints.remove(id);
      return ok({ id, object: "webhook_endpoint", deleted: true });
    }
    throw unknownUrl(request);
  };
}
