import { setTimeout as sleep } from "node:timers/promises";
import { Type } from "typebox";
import { monotonicMilliseconds } from "../src/clock.ts";
import { read, type Answer, type HttpClient } from "./http-client.ts";
import type { Journal, Request } from "./journal.ts";

export type ClientContext = {
  readonly http: HttpClient;
  readonly journal: Journal;
  readonly signal: AbortSignal;
};

/** Longer than any start of the database, after which the service answers again. */
const request_seconds_max = 90;
const wait_seconds_max = 3;

const Order = Type.Object({ status: Type.String(), psp_token: Type.Union([Type.String(), Type.Null()]) });
type Order = { status: string; psp_token: string | null };

/** The order once it is in the state; undefined when that takes too long. */
export async function waitForOrder(
  context: ClientContext,
  order: { readonly payment_order_id: string },
  status: string,
): Promise<Order | undefined> {
  const deadline = monotonicMilliseconds() + wait_seconds_max * 1_000;
  while (monotonicMilliseconds() < deadline) {
    const found = read((await context.http.api("GET", `/payments/${order.payment_order_id}`)).text, Order);
    if (found?.status === status) return found;
    await sleep(100, undefined, { signal: context.signal });
  }
  return undefined;
}

/** Sends again until there is a decision, whatever it is. */
export async function sendUntilDecided(
  { journal, signal }: Pick<ClientContext, "journal" | "signal">,
  request: Request,
  subject: string,
  send: (tries: number) => Promise<Answer>,
): Promise<Answer> {
  const deadline = monotonicMilliseconds() + request_seconds_max * 1_000;
  for (let tries = 1; ; tries++) {
    // A crowd that asks again all the time would take the processor from those that are starting.
    if (tries > 1) await sleep(Math.min(100 * tries, 500), undefined, { signal });
    const answer = await send(tries);
    if (journal.note(request, subject, answer)) return answer;
    if (monotonicMilliseconds() > deadline) {
      journal.giveUp(request, subject, request_seconds_max);
      return answer;
    }
  }
}
