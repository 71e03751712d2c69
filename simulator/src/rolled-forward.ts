import type { Expiring } from "./expiry-clock.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Plan } from "./plan.ts";
import { findIntent, findRolledForward, nextRolledForward } from "./queries.ts";
import type { Writes } from "./records.ts";
import type { Store } from "./store.ts";

/** The planned writes; nothing if the intent has changed since. */
async function laterWrites(store: Store, writes: Writes): Promise<Writes> {
  if (writes.intent === undefined) return writes;
  const current = await findIntent(store.reads, writes.intent.id);
  return (current?.version ?? 0) === writes.intent.version - 1 ? writes : {};
}

async function rollForwardPlan(store: Store, id: string): Promise<{ plan: Plan | null }> {
  const found = await findRolledForward(store.reads, id);
  if (found === null) return { plan: null };
  const writes: Writes = { ...(await laterWrites(store, found)), rolled_forward_done: id };
  return { plan: { status: 200, answer: { kind: "body", body: null }, writes, transport: "normal" } };
}

/** Requests that were answered with a 500, to be carried out when their time comes. */
export function rolledForward({ store, idempotency }: { store: Store; idempotency: Idempotency }): Expiring {
  return {
    next: (limit) => nextRolledForward(store.reads, limit),
    async end(id) {
      await idempotency.act(() => rollForwardPlan(store, id));
    },
  };
}
