import type { Queryable } from "../../db/db.ts";
import type { DeadLetterRow } from "../../jobs/jobs.ts";
import { selectMessagesAbout, type MessageSummary } from "../../webhooks/webhooks.ts";
import { selectOperations } from "../store/operation-queries.ts";
import { selectAttempts, selectTransitions, type TransitionRow } from "../store/queries.ts";
import { attemptView, operationView } from "../views/views.ts";

/** All that happened to what a dead letter is about. */
export type History = {
  /** Null: webhooks about something that is not known here. */
  readonly payment_order_id: string | null;
  readonly transitions: TransitionRow[];
  readonly attempts: ReturnType<typeof attemptView>[];
  readonly operations: ReturnType<typeof operationView>[];
  readonly webhooks: MessageSummary[];
};

export async function historyOf(db: Queryable, letter: DeadLetterRow): Promise<History> {
  const { payment_order_id: named, message_ids } = letter.payload;
  const payment_order_id = typeof named === "string" ? named : null;
  const messageIds = Array.isArray(message_ids) ? message_ids.filter((id) => typeof id === "string") : [];
  const webhooks = await selectMessagesAbout(db, { payment_order_id, message_ids: messageIds });
  if (payment_order_id === null)
    return { payment_order_id, transitions: [], attempts: [], operations: [], webhooks };
  const [transitions, attempts, operations] = await Promise.all([
    selectTransitions(db, payment_order_id),
    selectAttempts(db, payment_order_id),
    selectOperations(db, payment_order_id),
  ]);
  return {
    payment_order_id,
    transitions,
    attempts: attempts.map(attemptView),
    operations: operations.map(operationView),
    webhooks,
  };
}
