import type { Transaction } from "../../db/db.ts";
import {
  describeTransaction,
  postTogether,
  reversalsOf,
  type PostingDraft,
  type PostingOutcome,
} from "../../ledger/ledger.ts";
import type { Plan, PlannedChanges } from "./plan.ts";

type Booking = { readonly plan: Plan; readonly draft: PostingDraft };

/**
 * Posts what a batch of plans books, in one call: two calls could lock accounts in another order than other
 * transactions. Gives what is to be written for each plan: its changes, or those that follow from its
 * refusal.
 */
export async function postPlans(
  tx: Transaction,
  plans: readonly Plan[],
  effective_at: Date | null,
): Promise<PlannedChanges[]> {
  plans.forEach(assertWhole);
  const posted = plans.flatMap((plan) => plan.postings.map((draft): Booking => ({ plan, draft })));
  const bookings = [...posted, ...(await reversalsIn(tx, plans))];
  const drafts = bookings.map(({ draft }) => draft);
  const postings = await postTogether(
    tx,
    effective_at === null ? drafts : drafts.map(effectiveAt(effective_at)),
  );
  const refused = new Map<Plan, PlannedChanges>();
  bookings.forEach((booking, index) => {
    const outcome = postings[index]?.outcome;
    if (outcome !== "posted") refused.set(booking.plan, changesWhenRefused(booking, outcome));
  });
  return plans.map((plan) => refused.get(plan) ?? plan);
}

const effectiveAt =
  (time: Date) =>
  (draft: PostingDraft): PostingDraft => ({ ...draft, effective_at: time.toISOString() });

async function reversalsIn(tx: Transaction, plans: readonly Plan[]): Promise<Booking[]> {
  const reversed = plans.flatMap((plan) => plan.reversed.map((name) => ({ plan, name })));
  const drafts = await reversalsOf(
    tx,
    reversed.map(({ name }) => name),
    "the capture failed at the PSP",
  );
  return reversed.flatMap(({ plan }, index) => {
    const draft = drafts[index];
    return draft === undefined ? [] : [{ plan, draft }];
  });
}

function changesWhenRefused({ plan, draft }: Booking, outcome: PostingOutcome | undefined): PlannedChanges {
  const isRefusal = outcome !== undefined && outcome !== "posted" && outcome !== "already_posted";
  const changes = isRefusal ? plan.if_refused?.[outcome] : undefined;
  if (changes === undefined) throw new Error(`${describeTransaction(draft)} was not posted: ${outcome}`);
  return changes;
}

/** Of several transactions one could be refused while the others stand. */
function assertWhole({ if_refused, postings, reversed }: Plan): void {
  const count = postings.length + reversed.length;
  if (if_refused !== null && count > 1)
    throw new Error(`a plan that may be refused books ${count} transactions, and may book one`);
}
