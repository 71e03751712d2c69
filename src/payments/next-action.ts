import type { Queryable, Timestamp } from "../db/db.ts";
import type { NextAction } from "../psp/psp.ts";
import { createSealing, type Sealing } from "../sealing.ts";
import type { AttemptRow } from "./model.ts";
import { selectOpenAttempts } from "./queries.ts";

/** What the buyer must do now, as the API shows it. */
export type NextActionView = NextAction & { readonly expires_at: Timestamp };

/** Next actions are stored encrypted, because whoever reads one can act for the buyer. */
export const createNextActionSealing = (secretKey: string): Sealing => createSealing(secretKey, "next action");

/** The step that one of these attempts waits for; null: none does. */
export function nextActionOf(attempts: readonly AttemptRow[], sealing: Sealing): NextActionView | null {
  for (const attempt of attempts) {
    const { status, next_action, next_action_expires_at, page_url, page_expires_at } = attempt;
    if (status !== "pending") continue;
    if (page_url !== null && page_expires_at !== null) {
      return { type: "hosted_page", redirect_url: page_url, client_secret: null, expires_at: page_expires_at };
    }
    if (next_action !== null && next_action_expires_at !== null) {
      return { ...opened(next_action, sealing), expires_at: next_action_expires_at };
    }
  }
  return null;
}

/** The step that a checkout's buyer must do now. */
export async function selectNextAction(db: Queryable, checkoutId: string, sealing: Sealing): Promise<NextActionView | null> {
  return nextActionOf(await selectOpenAttempts(db, checkoutId), sealing);
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
  return "type" in value && typeof value.type === "string"
    && "redirect_url" in value && isTextOrNull(value.redirect_url)
    && "client_secret" in value && isTextOrNull(value.client_secret);
}
