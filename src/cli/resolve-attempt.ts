import { readResolution } from "../http/http.ts";
import { cliAuthor } from "./author.ts";
import { withActions } from "./dead-letters.ts";

export type ResolveOptions = {
  outcome: string;
  note: string;
  reference?: string;
  amount?: string;
  currency?: string;
  readLetters?: string[];
  as?: string;
};

/**
 * Proposes a resolution of an undecided attempt. Whatever its amount, an API key must approve it, because the
 * user of the command line could change the limits.
 */
export function resolveAttempt(attemptId: string, options: ResolveOptions): Promise<void> {
  const { outcome, note, reference, amount, currency, readLetters, as } = options;
  const resolution = readResolution({
    outcome,
    note,
    ...(reference === undefined ? {} : { psp_reference: reference }),
    ...(amount === undefined ? {} : { amount }),
    ...(currency === undefined ? {} : { currency }),
    ...(readLetters === undefined ? {} : { dead_letter_ids: readLetters }),
  });
  const by = { ...cliAuthor(as), key_id: null };
  return withActions(async ({ inTransaction }) => {
    const resolved = await inTransaction((tx, actions) =>
      actions.resolveAttempt(tx, attemptId, resolution, by),
    );
    if (resolved.kind === "resolved") {
      process.stdout.write(`${attemptId} is already resolved as ${resolved.attempt.resolved_as}.\n`);
      return;
    }
    const { approval_id, expires_at } = resolved.approval;
    process.stdout.write(
      `${approval_id} waits until ${expires_at} for approval by an API key with the scope admin.\n`,
    );
  });
}
