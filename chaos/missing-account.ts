import { setTimeout as sleep } from "node:timers/promises";
import { Type, type Static } from "typebox";
import { monotonicMilliseconds } from "../src/clock.ts";
import type { ChaosStack } from "./chaos-stack.ts";
import type { ClientContext } from "./client.ts";
import { read } from "./http-client.ts";

const TextOrNull = Type.Union([Type.String(), Type.Null()]);
const Order = Type.Object({
  payment_order_id: Type.String(),
  status: Type.String(),
  attempt_id: TextOrNull,
  error_message: TextOrNull,
});
const Unresolved = Type.Object({ data: Type.Array(Order) });
const Letter = Type.Object({
  dead_letter_id: Type.String(),
  reason: Type.String(),
  payload: Type.Object({ attempt_id: Type.Optional(Type.String()) }),
});
const Letters = Type.Object({ data: Type.Array(Letter) });

const tells = "is not configured";
const answer_seconds_max = 60;
const poll_ms = 500;

/**
 * Restarts the service without the account that charges cards, so that what is open there cannot be asked
 * about, and configures the account again. Notes whether a person could see each order that it held up.
 */
export async function removeAccount(
  context: ClientContext & { readonly stack: ChaosStack },
  for_ms: number,
): Promise<void> {
  const { stack, signal } = context;
  await stack.service.kill({ environment: stack.withoutAccount() });
  await untilAnswered(context);
  await sleep(for_ms, undefined, { signal });
  await noteHeldUp(context);
  await stack.service.kill();
  await untilAnswered(context);
  await discardLetters(context);
}

async function noteHeldUp(context: ClientContext): Promise<void> {
  const unresolved =
    read((await context.http.api("GET", "/unresolved_orders?limit=100")).text, Unresolved)?.data ?? [];
  // Read later: an order's outcome and its letter are written in one commit. The orders of a page share a letter.
  const told = new Set((await lettersOf(context)).map(({ payload }) => payload.attempt_id));
  for (const { payment_order_id, status, attempt_id, error_message } of unresolved) {
    if (status !== "UNKNOWN" || error_message?.includes(tells) !== true) continue;
    context.journal.held_up.set(payment_order_id, told.has(attempt_id ?? undefined));
  }
}

/**
 * As the person would who has configured it again: else a letter about an order would explain away what goes
 * wrong later.
 */
async function discardLetters(context: ClientContext): Promise<void> {
  for (const { dead_letter_id } of await lettersOf(context)) {
    await context.http.api("POST", `/dead_letters/${dead_letter_id}/discard`, {
      body: JSON.stringify({ note: "The account is configured again." }),
    });
  }
}

async function lettersOf({ http }: ClientContext): Promise<readonly Static<typeof Letter>[]> {
  const { text } = await http.api("GET", "/dead_letters?state=waiting&limit=100");
  return (read(text, Letters)?.data ?? []).filter(({ reason }) => reason.includes(tells));
}

async function untilAnswered({ http, signal }: ClientContext): Promise<void> {
  const deadline = monotonicMilliseconds() + answer_seconds_max * 1_000;
  while ((await http.api("GET", "/payments?limit=1")).status !== 200) {
    if (monotonicMilliseconds() > deadline)
      throw new Error("the service does not answer after its accounts were changed");
    await sleep(poll_ms, undefined, { signal });
  }
}
