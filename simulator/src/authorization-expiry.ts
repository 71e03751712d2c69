import { authorizationOf, isOver, released } from "./authorizations.ts";
import type { Expiring } from "./expiry-clock.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Plan } from "./plan.ts";
import { findIntent, nextAuthorizationsToEnd } from "./queries.ts";
import type { Store } from "./store.ts";

interface Parts {
  store: Store;
  idempotency: Idempotency;
}

async function endPlan(store: Store, id: string): Promise<{ plan: Plan | null }> {
  const nowMs = Date.now();
  const intent = await findIntent(store.reads, id);
  if (intent === null || !isOver(intent, nowMs)) return { plan: null };
  const writes = released(await authorizationOf(store, intent), "automatic", nowMs);
  return { plan: { status: 200, answer: { kind: "body", body: null }, writes, transport: "normal" } };
}

/** Ends the authorisation of this intent if its time is up. */
export async function endAuthorization({ store, idempotency }: Parts, id: string): Promise<void> {
  await idempotency.act(() => endPlan(store, id));
}

/** Authorisations that nobody captures or cancels in time. */
export function expiringAuthorizations(parts: Parts): Expiring {
  return {
    next: (limit) => nextAuthorizationsToEnd(parts.store.reads, limit),
    end: (id) => endAuthorization(parts, id),
  };
}
