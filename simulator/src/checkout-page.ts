import type { Decline } from "./cards.ts";
import { readCard, type ShownAgain } from "./checkout-card-form.ts";
import { authenticateStep, isExpired, payStep, type Step } from "./checkout-payment.ts";
import { authenticationView, formView, messageView, type FormState } from "./checkout-views.ts";
import { FaultStrike } from "./faults.ts";
import type { FormMap } from "./form.ts";
import type { Reply } from "./idempotency.ts";
import { findIntent, findSession } from "./queries.ts";
import { redirect, show } from "./page-reply.ts";
import type { SessionRecord } from "./records.ts";
import { threeDSecurePage, type PageParts } from "./three-d-secure-page.ts";

export interface PageRequest {
  method: string;
  /** Path parts after `/c/`. */
  path: readonly string[];
  params: FormMap;
}

const SESSION_ID = /^cs_test_\w+$/;
const NOT_CHARGED = "You have not been charged. Try again, or use another card.";
const BUSY = {
  title: "The payment service is busy.",
  advice: "You have not been charged. Try again in a moment.",
};
const CRASHED = {
  title: "Something went wrong at the payment service.",
  advice: "Try again: if this order is paid already, you are not charged a second time.",
};
const AUTHENTICATION_FAILED = "Your bank could not confirm that it is you.";

function successUrl({ success_url, id }: SessionRecord): string {
  return new URL(success_url.replaceAll("{CHECKOUT_SESSION_ID}", id)).href;
}

function paidPage(session: SessionRecord): Reply {
  return show(
    200,
    messageView({
      title: "Payment received",
      text: "This order is paid. You can close this page.",
      mark: "done",
      next: { url: successUrl(session), label: "Return to the shop" },
    }),
  );
}

function expiredPage({ cancel_url }: SessionRecord): Reply {
  return show(
    410,
    messageView({
      title: "This page has expired",
      text: "The time to pay here is over. You have not been charged. Return to the shop to start again.",
      mark: "closed",
      ...(cancel_url === undefined ? {} : { next: { url: cancel_url, label: "Return to the shop" } }),
    }),
  );
}

function unknownPage(): Reply {
  return show(
    404,
    messageView({
      title: "There is no such payment page",
      text: "Check the address, or return to the shop.",
      mark: "closed",
    }),
  );
}

function formPage(session: SessionRecord, status: number, state: FormState): Reply {
  return show(status, formView(session, state));
}

function failureOf({ code, message }: Decline): NonNullable<FormState["failure"]> {
  const isAuthentication = code === "payment_intent_authentication_failure";
  return { title: isAuthentication ? AUTHENTICATION_FAILED : message, advice: NOT_CHARGED };
}

/** The answer to a step, before any fault of the transport. */
function answerTo({ result, session }: Step, again?: ShownAgain): Reply {
  const kept = again === undefined ? {} : { again };
  switch (result.kind) {
    case "paid":
      return result.redirect ? redirect(successUrl(session)) : paidPage(session);
    case "already_paid":
      return redirect(successUrl(session));
    case "declined":
      return formPage(session, 402, { ...kept, failure: failureOf(result.decline) });
    case "authenticate":
      return redirect(`/c/pay/${session.id}/authenticate`);
    case "expired":
      return expiredPage(session);
    case "outdated":
      // Another tab went on: this one follows.
      return redirect(`/c/pay/${session.id}/authenticate`);
    case "crashed":
      return formPage(session, 500, { ...kept, failure: CRASHED });
  }
}

/** Half of a redirect is no answer: where the API would send half a body, the page breaks the connection. */
function transportOf({ plan }: Step): Reply["transport"] {
  const transport = plan?.transport ?? "normal";
  return transport === "truncate" ? "disconnect" : transport;
}

async function carryOut(
  parts: PageParts,
  session: SessionRecord,
  take: () => Promise<Step>,
  again?: ShownAgain,
): Promise<Reply> {
  try {
    const step = await parts.idempotency.act(take);
    return { ...answerTo(step, again), transport: transportOf(step) };
  } catch (error) {
    if (!(error instanceof FaultStrike) || error.fault !== "429") throw error;
    const reply = formPage(session, 429, { ...(again === undefined ? {} : { again }), failure: BUSY });
    return { ...reply, headers: { ...reply.headers, "Retry-After": "1" } };
  }
}

async function pay(parts: PageParts, session: SessionRecord, params: FormMap): Promise<Reply> {
  if (session.status === "complete") return redirect(successUrl(session));
  if (isExpired(session, Date.now())) return expiredPage(session);
  const entry = readCard(params, Date.now());
  if (entry.kind === "faulty") return formPage(session, 400, entry);
  return carryOut(parts, session, () => payStep(parts, session.id, entry, Date.now()), entry.again);
}

async function authenticate(parts: PageParts, session: SessionRecord, params: FormMap): Promise<Reply> {
  const method = params.get("payment_method");
  const result = params.get("result");
  if (typeof method !== "string" || (result !== "complete" && result !== "fail"))
    return asking(parts, session);
  const answer = { payment_method: method, passed: result === "complete" };
  return carryOut(parts, session, () => authenticateStep(parts, session.id, answer, Date.now()));
}

async function asking({ store }: PageParts, session: SessionRecord): Promise<Reply> {
  const intent = await findIntent(store.reads, session.payment_intent ?? "");
  if (intent?.status !== "requires_action" || intent.card === undefined)
    return redirect(`/c/pay/${session.id}`);
  return show(200, authenticationView(intent, intent.card, `/c/pay/${session.id}/authenticate`));
}

/**
 * Answers requests to `/c/…`: the hosted page. Its forms carry no token against cross-site requests, because
 * there is no session to abuse: anyone who knows the address may pay, and only with a test card. Throws
 * `FaultStrike`.
 */
export function pageRoutes(parts: PageParts): (request: PageRequest) => Promise<Reply> {
  const threeDSecure = threeDSecurePage(parts);
  return async ({ method, path, params }) => {
    const [section, id = "", step, extra] = path;
    if (section === "3d_secure_2" && extra === undefined)
      return threeDSecure({ method, id, secret: step ?? "", params });
    const isPage =
      section === "pay" && extra === undefined && (step === undefined || step === "authenticate");
    const session = isPage && SESSION_ID.test(id) ? await findSession(parts.store.reads, id) : null;
    if (session === null) return unknownPage();
    if (method === "POST") {
      return step === undefined ? pay(parts, session, params) : authenticate(parts, session, params);
    }
    if (method !== "GET" && method !== "HEAD") return { ...unknownPage(), status: 405 };
    if (session.status === "complete") return paidPage(session);
    if (isExpired(session, Date.now())) return expiredPage(session);
    return step === undefined ? formPage(session, 200, {}) : asking(parts, session);
  };
}
