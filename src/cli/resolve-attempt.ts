import { readResolution } from "../http/http.ts";
import { cliAuthor } from "./author.ts";
import { withActions } from "./dead-letters.ts";

export type ResolveOptions = { outcome: string; note: string; reference?: string; amount?: string; currency?: string; as?: string };

/**
 * Proposes what became of an undecided attempt. Whatever its amount, an API key must approve it: whoever is at the
 * command line could set the limits as they like.
 */
export function resolveAttempt(attemptId: string, { outcome, note, reference, amount, currency, as }: ResolveOptions): Promise<void> {
  const resolution = readResolution({
    outcome, note, ...(reference === undefined ? {} : { psp_reference: reference }), ...(amount === undefined ? {} : { amount }),
    ...(currency === undefined ? {} : { currency }),
  });
  const by = { ...cliAuthor(as), key_id: null };
  return withActions(async ({ inTransaction }) => {
    const resolved = await inTransaction((tx, actions) => actions.resolveAttempt(tx, attemptId, resolution, by));
    process.stdout.write(resolved.kind === "resolved"
      ? `${attemptId} was resolved as ${resolved.attempt.resolved_as} before.\n`
      : `${resolved.approval.approval_id}: waits for the approval of an API key with the admin right, until ${resolved.approval.expires_at}.\n`);
  });
}
