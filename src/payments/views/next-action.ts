import type { Queryable, Timestamp } from "../../db/db.ts";
import type { NextAction } from "../../psp/psp.ts";
import { createSealing, type Sealing } from "../../sealing.ts";
import type { AttemptRow } from "../model/model.ts";
import { selectPayableAttempts } from "../store/queries.ts";

/** What the buyer must do now, as the API shows it. */
export type NextActionView = NextAction & { readonly expires_at: Timestamp };

/** Next actions are stored encrypted, because a reader could act for the buyer. */
export const createNextActionSealing = (secretKey: string): Sealing =>
  createSealing(secretKey, "next action");

type WaitingAttempt = Pick<
  AttemptRow,
  "status" | "next_action" | "next_action_expires_at" | "page_url" | "page_expires_at"
>;

/**
 * The step that one of these attempts waits for; null: none does. A step is not shown after its expiry,
 * although the attempt stays pending until it is voided at the PSP: a buyer must not begin what is being
 * voided.
 */
export function nextActionOf(
  attempts: readonly WaitingAttempt[],
  sealing: Sealing,
  at: Date,
): NextActionView | null {
  for (const { status, next_action, next_action_expires_at, page_url, page_expires_at } of attempts) {
    if (status !== "pending") continue;
    if (page_url !== null && isAhead(page_expires_at, at)) {
      return {
        type: "hosted_page",
        redirect_url: page_url,
        client_secret: null,
        expires_at: page_expires_at,
      };
    }
    if (next_action !== null && isAhead(next_action_expires_at, at)) {
      return { ...opened(next_action, sealing), expires_at: next_action_expires_at };
    }
  }
  return null;
}

const isAhead = (end: Timestamp | null, at: Date): end is Timestamp =>
  end !== null && Date.parse(end) > at.getTime();

/** The step that a checkout's buyer must do now. */
export async function selectNextAction(
  db: Queryable,
  checkoutId: string,
  sealing: Sealing,
  at: Date,
): Promise<NextActionView | null> {
  return nextActionOf(await selectPayableAttempts(db, checkoutId), sealing, at);
}

/** The step that the buyer must do for this order, whose attempts these are. */
export async function selectNextActionOfOrder(
  db: Queryable,
  attempts: readonly AttemptRow[],
  sealing: Sealing,
  at: Date,
): Promise<NextActionView | null> {
  const [attempt] = attempts;
  // Nearly all orders wait for no step, and need no second query.
  if (attempt === undefined || nextActionOf(attempts, sealing, at) === null) return null;
  const known = new Set(attempts.map(({ attempt_id }) => attempt_id));
  const payable = await selectPayableAttempts(db, attempt.checkout_id);
  return nextActionOf(
    payable.filter(({ attempt_id }) => known.has(attempt_id)),
    sealing,
    at,
  );
}

function opened(sealed: string, sealing: Sealing): NextAction {
  const text = sealing.open(sealed);
  // SECRET_KEY has changed since: the next inquiry at the PSP stores the action again.
  if (text === undefined) return { type: "unreadable", redirect_url: null, client_secret: null };
  const action: unknown = JSON.parse(text);
  if (!isNextAction(action)) throw new Error("a sealed next action has another form");
  return action;
}

function isNextAction(value: unknown): value is NextAction {
  if (typeof value !== "object" || value === null) return false;
  const isTextOrNull = (text: unknown): boolean => text === null || typeof text === "string";
  return (
    "type" in value &&
    typeof value.type === "string" &&
    "redirect_url" in value &&
    isTextOrNull(value.redirect_url) &&
    "client_secret" in value &&
    isTextOrNull(value.client_secret)
  );
}
