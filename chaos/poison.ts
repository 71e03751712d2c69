import { setTimeout as sleep } from "node:timers/promises";
import { Type } from "typebox";
import { monotonicMilliseconds } from "../src/clock.ts";
import { Database } from "../src/db/db.ts";
import { AppError } from "../src/errors.ts";
import type { ClientContext } from "./client.ts";
import { read } from "./http-client.ts";
import type { PlannedCheckout } from "./plan.ts";
import { healOrder, poisonOrder } from "./queries.ts";

type PoisonContext = ClientContext & { readonly owner_url: string };

/** The order's checkout may come late in the plan, and four failures with their delays follow it. */
const letter_seconds_max = 120;
const database_seconds_max = 60;
const poll_ms = 500;

/**
 * The order of a later checkout that is to be poisoned: its client only posts it and charges a card, so that
 * only the workers meet it.
 */
export function choosePoisoned(plan: readonly PlannedCheckout[], step: number): string | undefined {
  const chosen = plan.find(
    ({ step: other, card, habits }) =>
      other > step &&
      card.ending === "paid" &&
      habits.page === null &&
      habits.captures === null &&
      habits.external === null &&
      !habits.cancels,
  );
  return chosen?.orders[0].payment_order_id;
}

/** From now on the database refuses every change of the order and its attempts, as if a check forbade it. */
export function poison({ owner_url }: PoisonContext, payment_order_id: string): Promise<void> {
  return asOwner(owner_url, (database) => poisonOrder(database, payment_order_id));
}

/**
 * Waits for the dead letter that shows the order and the reason; then repairs and redrives it, as a person
 * would.
 */
export async function mend(context: PoisonContext, payment_order_id: string): Promise<void> {
  const letter = await findLetter(context, payment_order_id);
  context.journal.poisoned.set(payment_order_id, letter?.reason ?? null);
  await asOwner(context.owner_url, (database) => healOrder(database, payment_order_id));
  if (letter === undefined) return;
  const path = `/dead_letters/${letter.dead_letter_id}`;
  const redriven = await context.http.api("POST", `${path}/redrive`, { body: "{}" });
  // It recovered and ended by itself.
  if (redriven.status === 409)
    await context.http.api("POST", `${path}/discard`, {
      body: JSON.stringify({ note: "The order went on." }),
    });
}

const Letter = Type.Object({
  dead_letter_id: Type.String(),
  subject_id: Type.String(),
  reason: Type.String(),
});
const Letters = Type.Object({ data: Type.Array(Letter) });

async function findLetter(
  { http, signal }: PoisonContext,
  payment_order_id: string,
): Promise<{ dead_letter_id: string; reason: string } | undefined> {
  const deadline = monotonicMilliseconds() + letter_seconds_max * 1_000;
  while (monotonicMilliseconds() < deadline) {
    const { text } = await http.api("GET", "/dead_letters?state=waiting&queue=payment_execute&limit=100");
    const letter = read(text, Letters)?.data.find(({ subject_id }) => subject_id === payment_order_id);
    if (letter !== undefined) return letter;
    await sleep(poll_ms, undefined, { signal });
  }
  return undefined;
}

async function asOwner(url: string, work: (database: Database) => Promise<void>): Promise<void> {
  const deadline = monotonicMilliseconds() + database_seconds_max * 1_000;
  for (;;) {
    const database = new Database({ url, application_name: "pacioli-chaos", connections_max: 1 });
    try {
      return await work(database);
    } catch (error) {
      // Another fault has just killed it.
      if (!(error instanceof AppError && error.code === "unavailable") || monotonicMilliseconds() > deadline)
        throw error;
    } finally {
      await database.close();
    }
    await sleep(poll_ms);
  }
}
