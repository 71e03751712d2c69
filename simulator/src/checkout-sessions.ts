import { expandSessionParam, sessionParams } from "./checkout-params.ts";
import { renderLines, renderSession } from "./checkout-render.ts";
import type { FormMap } from "./form.ts";
import { newId } from "./ids.ts";
import { listBody, pageOf } from "./lists.ts";
import { optionalChoice, optionalText, refuseUnknown } from "./params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import { chargesById, findIntent, findSession, listSessions } from "./queries.ts";
import type { SessionRecord, Writes } from "./records.ts";
import { renderIntent } from "./render.ts";
import type { Store } from "./store.ts";
import { invalidRequest, missingObject } from "./stripe-error.ts";

const ONLY_EXPAND: ReadonlySet<string> = new Set(["expand"]);

/** POST /v1/checkout/sessions. The page stands at `origin`. Nothing is charged, and no intent is made yet. */
export function createSession(
  form: FormMap,
  facts: RequestFacts,
  { origin, seconds_min }: { origin: string; seconds_min: number },
): Plan {
  const wish = sessionParams(form, facts.now_ms, seconds_min);
  const id = newId("cs_test", facts.now_ms);
  const session: SessionRecord = {
    ...wish,
    id,
    version: 1,
    status: "open",
    payment_status: "unpaid",
    url: `${origin}/c/pay/${id}`,
  };
  return {
    status: 200,
    answer: { kind: "session", expand: expandSessionParam(form) },
    writes: { session },
    transport: "normal",
  };
}

/** What the end of an open session writes; an intent that its buyer began is canceled with it. */
export async function expiry(store: Store, session: SessionRecord, nowMs: number): Promise<Writes> {
  const expired: SessionRecord = { ...session, version: session.version + 1, status: "expired" };
  const intent =
    session.payment_intent === undefined ? null : await findIntent(store.reads, session.payment_intent);
  if (intent === null) return { session: expired, events: ["checkout.session.expired"] };
  return {
    session: expired,
    intent: {
      ...intent,
      version: intent.version + 1,
      status: "canceled",
      canceled_at: Math.floor(nowMs / 1_000),
      cancellation_reason: "expired",
    },
    events: ["payment_intent.canceled", "checkout.session.expired"],
  };
}

async function loadSession(store: Store, id: string): Promise<SessionRecord> {
  const session = await findSession(store.reads, id);
  if (session === null) throw missingObject("checkout.session", id, "session", 404);
  return session;
}

/** POST /v1/checkout/sessions/:id/expire */
export async function expireSession(
  store: Store,
  id: string,
  form: FormMap,
  facts: RequestFacts,
): Promise<Plan> {
  refuseUnknown(form, ONLY_EXPAND);
  const expand = expandSessionParam(form);
  const session = await loadSession(store, id);
  if (session.status !== "open") {
    const error = invalidRequest(
      'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of ' +
        `\`${session.status}\`.`,
    );
    return { status: 400, answer: { kind: "body", body: error.body() }, writes: {}, transport: "normal" };
  }
  const writes = await expiry(store, session, facts.now_ms);
  return { status: 200, answer: { kind: "session", expand }, writes, transport: "normal" };
}

async function rendered(store: Store, session: SessionRecord, expand: readonly string[]): Promise<unknown> {
  const wanted = expand.some((path) => path.startsWith("payment_intent"));
  const intent = wanted ? await findIntent(store.reads, session.payment_intent ?? "") : null;
  if (intent === null) return renderSession(session, { expand });
  const inside = expand.map((path) => path.replace(/^payment_intent\./, ""));
  const charges = inside.includes("latest_charge")
    ? await chargesById(store.reads, [intent.latest_charge ?? ""])
    : null;
  const charge = charges?.get(intent.latest_charge ?? "");
  return renderSession(session, { expand, intent: renderIntent(intent, { charge, expand: inside }) });
}

/** GET /v1/checkout/sessions/:id */
export async function retrieveSession(store: Store, id: string, form: FormMap): Promise<unknown> {
  refuseUnknown(form, ONLY_EXPAND);
  const expand = expandSessionParam(form);
  return rendered(store, await loadSession(store, id), expand);
}

/** GET /v1/checkout/sessions/:id/line_items */
export async function listSessionLines(store: Store, id: string, form: FormMap): Promise<unknown> {
  pageOf(form, []);
  return renderLines(await loadSession(store, id));
}

/** GET /v1/checkout/sessions */
export async function listAllSessions(store: Store, form: FormMap): Promise<unknown> {
  const page = pageOf(form, ["payment_intent", "status"]);
  const status = optionalChoice(form, "status", ["complete", "expired", "open"]);
  const expand = expandSessionParam(form, "data.");
  const found = await listSessions(store.reads, {
    ...page,
    status,
    payment_intent: optionalText(form, "payment_intent"),
  });
  const data = await Promise.all(found.data.map((session) => rendered(store, session, expand)));
  return listBody("/v1/checkout/sessions", { data, has_more: found.has_more });
}
