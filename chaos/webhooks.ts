import { createHmac } from "node:crypto";
import { Type, type Static } from "typebox";
import { now } from "../src/clock.ts";
import { isCurrencyCode, parseAmount } from "../src/money/money.ts";
import { sendUntilDecided, type ClientContext } from "./client.ts";
import { read, type HttpClient } from "./http-client.ts";
import type { Random } from "./random.ts";
import type { Forgery } from "./schedule.ts";

/** What a liar needs to know of an order, to say that it was paid. */
export type Target = {
  readonly payment_order_id: string;
  readonly attempt_id: string;
  readonly amount_minor: bigint;
  readonly currency: string;
};

export type WebhookContext = ClientContext & { readonly webhook_secret: string };

/** Every forged message has an id that begins like this. */
export const forged_event_prefix = "evt_forged_";
/** Every forged status has a reference like this. */
export const forged_status_prefix = "msg_forged_";

const page_events = 50;
const events_at_once = 20;
const Event = Type.Object({ id: Type.String() });
type Event = Static<typeof Event>;
const Events = Type.Object({ has_more: Type.Boolean(), data: Type.Array(Event) });

/** Says that an order was paid which was not, in one of the ways that must not be believed. */
export async function sendForgery(
  context: WebhookContext,
  forgery: Forgery,
  target: Target,
  number: number,
): Promise<void> {
  const id = `${forged_event_prefix}${forgery}_${number}`;
  const body = successEvent(id, target);
  const at = Math.floor(now().getTime() / 1_000);
  const { webhook_secret } = context;
  const send = (path: string, sent: string, headers: Record<string, string>): Promise<unknown> =>
    sendUntilDecided(context, "forged_webhook", `${id} about ${target.payment_order_id}`, () =>
      context.http.webhook(path, sent, headers),
    );
  const signed = (signature: string): Record<string, string> => ({ "stripe-signature": signature });
  switch (forgery) {
    case "no_signature":
      return void (await send("stripe", body, {}));
    case "other_secret":
      return void (await send("stripe", body, signed(signatureOf(body, "whsec_of_somebody_else", at))));
    case "changed_body":
      return void (await send(
        "stripe",
        body,
        signed(signatureOf(successEvent(id, { ...target, amount_minor: 1n }), webhook_secret, at)),
      ));
    case "too_old":
      return void (await send("stripe", body, signed(signatureOf(body, webhook_secret, at - 900))));
    case "from_the_future":
      return void (await send("stripe", body, signed(signatureOf(body, webhook_secret, at + 900))));
    case "garbage_signature":
      return void (await send("stripe", body, signed(`t=${at},v1=${"0".repeat(64)}`)));
    case "generic_form": {
      const status = JSON.stringify({
        token: "tok_forged",
        status: "success",
        payment_order_id: target.payment_order_id,
        signature: "trust me",
      });
      await send("payment-status", status, {
        "webhook-id": id,
        "webhook-timestamp": String(at),
        "webhook-signature": "v1,AAAA",
      });
    }
  }
}

const Orders = Type.Object({
  data: Type.Array(Type.Object({ payment_order_id: Type.String(), status: Type.String() })),
});
const Order = Type.Object({
  amount: Type.String(),
  currency: Type.String(),
  attempts: Type.Array(
    Type.Object({
      attempt_id: Type.String(),
      psp: Type.String(),
      page_expires_at: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
});

const targets_looked_at = 10;

/**
 * An unpaid order of the account, preferably one that waits, because a lie about it would pay off; undefined
 * if there is none. Without `has_page`: one that has an attempt of its own.
 */
export async function findTarget(
  http: HttpClient,
  { psp = "stripe", has_page = true } = {},
): Promise<Target | undefined> {
  for (const status of ["PENDING", "AUTHORIZED", "UNKNOWN", "EXECUTING", "FAILED"]) {
    const listed =
      read((await http.api("GET", `/payments?limit=${targets_looked_at}&status=${status}`)).text, Orders)
        ?.data ?? [];
    for (const { payment_order_id } of listed) {
      const order = read((await http.api("GET", `/payments/${payment_order_id}`)).text, Order);
      const attempt = order?.attempts.at(-1);
      if (order === undefined || attempt?.psp !== psp || !isCurrencyCode(order.currency)) continue;
      if (!has_page && attempt.page_expires_at !== null) continue;
      const parsed = parseAmount(order.amount, order.currency);
      if (parsed.ok)
        return {
          payment_order_id,
          attempt_id: attempt.attempt_id,
          amount_minor: parsed.money.amount_minor,
          currency: order.currency,
        };
    }
  }
  return undefined;
}

/** Genuine events once more, each several times at once, in another order: the newest ones, or all. Gives how many. */
export async function repeatWebhooks(
  context: WebhookContext,
  random: Random,
  options: { copies: number; is_all: boolean },
): Promise<number> {
  const events = random.shuffle(await findEvents(context.http, options.is_all));
  for (let first = 0; first < events.length; first += events_at_once) {
    await Promise.all(
      events.slice(first, first + events_at_once).flatMap((event) => {
        const body = JSON.stringify(event);
        return Array.from({ length: options.copies }, () =>
          sendUntilDecided(context, "genuine_webhook", event.id, () =>
            context.http.webhook("stripe", body, {
              "stripe-signature": signatureOf(
                body,
                context.webhook_secret,
                Math.floor(now().getTime() / 1_000),
              ),
            }),
          ),
        );
      }),
    );
  }
  return events.length;
}

/** The events that the PSP would send, newest first; none while it is away. */
async function findEvents(http: HttpClient, isAll: boolean): Promise<readonly Event[]> {
  const events: Event[] = [];
  for (;;) {
    const last = events.at(-1);
    const answer = await http.psp("GET", "events", {
      limit: String(page_events),
      "types[0]": "payment_intent.*",
      "types[1]": "checkout.session.*",
      ...(last === undefined ? {} : { starting_after: last.id }),
    });
    const page = read(answer.text, Events);
    events.push(...(page?.data ?? []));
    if (page?.has_more !== true || !isAll) return events;
  }
}

/** Stripe's scheme: HMAC over time and body (https://docs.stripe.com/webhooks, "Verify manually"). */
function signatureOf(body: string, secret: string, at: number): string {
  return `t=${at},v1=${createHmac("sha256", secret).update(`${at}.${body}`).digest("hex")}`;
}

function successEvent(id: string, { payment_order_id, attempt_id, amount_minor, currency }: Target): string {
  const amount = String(amount_minor);
  const intent = {
    id: `pi_${id}`,
    object: "payment_intent",
    status: "succeeded",
    amount: 0,
    amount_received: 0,
    currency: currency.toLowerCase(),
    metadata: { payment_order_id, attempt_id },
  };
  const text = JSON.stringify({
    id,
    object: "event",
    type: "payment_intent.succeeded",
    api_version: null,
    created: 0,
    data: { object: intent },
  });
  // Written into the text, for a bigint is no JSON.
  return text.replace(/"amount":0,"amount_received":0/, `"amount":${amount},"amount_received":${amount}`);
}
