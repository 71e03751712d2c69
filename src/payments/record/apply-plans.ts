import type { Transaction } from "../../db/db.ts";
import { addDeadLetters, type DeadLetterDraft, type Jobs } from "../../jobs/jobs.ts";
import { addCommissions, reverseCommissions } from "../store/commission-queries.ts";
import {
  changeCapturing,
  insertEvents,
  markAuthorizationsEnded,
  writeOperationChanges,
} from "../store/operation-outcome-queries.ts";
import { insertVoids } from "../store/operation-queries.ts";
import { selectNextQueued } from "../store/operation-turn-queries.ts";
import type { Plan, PlannedChanges, PlannedJob } from "./plan.ts";
import { postPlans } from "./post-plans.ts";
import { writeOrderChanges } from "../store/outcome-queries.ts";
import { addReferences, type ReferenceConflict } from "../store/reference-queries.ts";

/**
 * Writes a batch of plans, set by set, and gives what it wrote for each. The orders are locked by the caller,
 * and each has one plan. `effective_at`: the business time of the postings; null: when they are recorded.
 */
export async function applyPlans(
  tx: Transaction,
  jobs: Jobs,
  plans: readonly Plan[],
  effective_at: Date | null,
): Promise<readonly PlannedChanges[]> {
  const refusable = plans.filter(({ if_refused }) => if_refused !== null);
  const certain = plans.filter(({ if_refused }) => if_refused === null);
  const [, followed] = await Promise.all([
    // First, and in one call, so that every process waits for ids before it locks the ledger's accounts.
    writeReferences(tx, plans),
    postPlans(tx, plans, effective_at),
    write(tx, jobs, certain),
  ]);
  // What follows from a plan that may be refused is known only now.
  if (refusable.length > 0)
    await write(
      tx,
      jobs,
      followed.filter((_, index) => plans[index]?.if_refused !== null),
    );
  return followed;
}

async function write(tx: Transaction, jobs: Jobs, changes: readonly PlannedChanges[]): Promise<void> {
  await Promise.all([
    // A capture that is booked is no longer in flight: written first, because a constraint bounds the sum.
    changeCapturing(
      tx,
      changes.flatMap(({ capturing }) => capturing),
    ),
    insertEvents(
      tx,
      changes.flatMap(({ events }) => events),
    ),
    writeOperationChanges(
      tx,
      changes.flatMap(({ operation }) => operation ?? []),
    ),
    writeOrderChanges(
      tx,
      changes.flatMap(({ order }) => order ?? []),
    ),
    addCommissions(
      tx,
      changes.flatMap(({ commissions }) => commissions),
    ),
    reverseCommissions(
      tx,
      changes.flatMap(({ reversed_commissions }) => reversed_commissions),
    ),
    markAuthorizationsEnded(
      tx,
      changes.flatMap(({ ended_authorization }) => ended_authorization ?? []),
    ),
    enqueue(tx, jobs, changes),
    addDeadLetters(
      tx,
      changes.flatMap(({ dead_letters }) => dead_letters),
    ),
  ]);
}

/**
 * An id that already belongs to something else opens a dead letter: some money is booked for the wrong one.
 */
async function writeReferences(tx: Transaction, plans: readonly Plan[]): Promise<void> {
  const references = plans.flatMap((plan) => plan.references);
  const conflicts = await addReferences(tx, references);
  if (conflicts.length === 0) return;
  const letters = new Map(references.map(({ subject_id, letter }) => [subject_id, letter]));
  await addDeadLetters(
    tx,
    conflicts.flatMap((conflict): DeadLetterDraft[] => {
      const letter = letters.get(conflict.subject_id);
      return letter === undefined ? [] : [{ ...letter, kind: "discrepancy", reason: reasonOf(conflict) }];
    }),
  );
}

const reasonOf = ({ psp, reference, type, subject_id, known_subject_id }: ReferenceConflict): string =>
  `${psp} names ${reference} (${type}) for ${subject_id}, but it belongs to ${known_subject_id}: ` +
  "one of the two may be booked without money.";

/** The planned jobs, those of new voids, and those of operations whose turn has come. */
async function enqueue(tx: Transaction, jobs: Jobs, changes: readonly PlannedChanges[]): Promise<void> {
  const planned = changes.flatMap((one) => one.jobs);
  const executions = planned.flatMap((job) => (job.queue === "payment_execute" ? [job] : []));
  const again = planned.flatMap((job) => (job.queue === "operation_execute" ? [job] : []));
  const [, voids] = await Promise.all([
    jobs.enqueue(tx, "payment_execute", executions),
    insertVoids(
      tx,
      changes.flatMap((one) => one.voids),
    ),
  ]);
  const next = await selectNextOperations(tx, changes, again);
  const started = [...new Set([...voids, ...next])].map((operation_id) => ({ data: { operation_id } }));
  await jobs.enqueue(tx, "operation_execute", [...again, ...started]);
}

/** The next operations of the lanes that are free now, except those that are tried again later. */
async function selectNextOperations(
  tx: Transaction,
  changes: readonly PlannedChanges[],
  again: readonly Extract<PlannedJob, { queue: "operation_execute" }>[],
): Promise<string[]> {
  const freed = changes.flatMap(({ freed_lane }) => freed_lane ?? []);
  if (freed.length === 0) return [];
  const postponed = new Set(again.map(({ data }) => data.operation_id));
  return (await selectNextQueued(tx, freed)).filter((id) => !postponed.has(id));
}
