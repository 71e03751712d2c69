import { isExpired } from "./checkout-payment.ts";
import { expiry } from "./checkout-sessions.ts";
import type { Expiring } from "./expiry-clock.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Plan } from "./plan.ts";
import { findSession, nextSessionsToExpire } from "./queries.ts";
import type { Store } from "./store.ts";

async function endPlan(store: Store, id: string): Promise<{ plan: Plan | null }> {
  const nowMs = Date.now();
  const session = await findSession(store.reads, id);
  if (session?.status !== "open" || !isExpired(session, nowMs)) return { plan: null };
  const writes = await expiry(store, session, nowMs);
  return { plan: { status: 200, answer: { kind: "body", body: null }, writes, transport: "normal" } };
}

/** Open sessions that nobody pays in time. */
export function expiringSessions({
  store,
  idempotency,
}: {
  store: Store;
  idempotency: Idempotency;
}): Expiring {
  return {
    next: (limit) => nextSessionsToExpire(store.reads, limit),
    async end(id) {
      await idempotency.act(() => endPlan(store, id));
    },
  };
}
