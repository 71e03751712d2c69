import { Type, type Static } from "typebox";
import { read, type HttpClient } from "./http-client.ts";

const Effect = Type.Object({
  payment_intent: Type.String(),
  amount_minor: Type.Integer(),
  currency: Type.String(),
  metadata: Type.Object({
    checkout_id: Type.Optional(Type.String()),
    payment_order_id: Type.Optional(Type.String()),
    attempt_id: Type.Optional(Type.String()),
  }),
});
/** One charge that really happened, by the simulator's own books. */
export type Effect = Static<typeof Effect>;

const Effects = Type.Object({ has_more: Type.Boolean(), data: Type.Array(Effect) });
const Summary = Type.Object({ charges: Type.Integer() });

/** All charges: those of each checkout, and whatever else there is. Errors when the simulator does not tell. */
export async function findEffects(http: HttpClient, checkoutIds: readonly string[]): Promise<Effect[]> {
  const effects: Effect[] = [];
  for (const checkoutId of checkoutIds) {
    const { data } = await ask(http, `effects?checkout_id=${encodeURIComponent(checkoutId)}`);
    effects.push(...data);
  }
  const total = await countCharges(http);
  if (total === effects.length) return effects;
  // Some carry no checkout of ours; the list of all of them shows which, if not too long.
  const known = new Set(effects.map((effect) => effect.payment_intent));
  const all = await ask(http, "effects");
  return [...effects, ...all.data.filter((effect) => !known.has(effect.payment_intent))];
}

export async function countCharges(http: HttpClient): Promise<number> {
  const answer = await http.simulator("GET", "effects/summary");
  const summary = read(answer.text, Summary);
  if (summary === undefined)
    throw new Error(`the simulator did not return its number of charges: ${answer.status} ${answer.text}`);
  return summary.charges;
}

async function ask(http: HttpClient, path: string): Promise<Static<typeof Effects>> {
  const answer = await http.simulator("GET", path);
  const effects = read(answer.text, Effects);
  if (effects === undefined)
    throw new Error(`the simulator did not return its charges: ${answer.status} ${answer.text}`);
  return effects;
}
