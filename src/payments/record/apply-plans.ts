import type { Transaction } from "../../db/db.ts";
import { addDeadLetters, type DeadLetterDraft, type Jobs } from "../../jobs/jobs.ts";
import { postAll, reversalsOf } from "../../ledger/ledger.ts";
import {
  changeCapturing,
  insertCheckoutEvents,
  markAuthorizationsEnded,
  writeOperationChanges,
} from "../store/operation-outcome-queries.ts";
import { insertVoids } from "../store/operation-queries.ts";
import { selectNextQueued } from "../store/operation-turn-queries.ts";
import type { Plan, PlannedJob } from "./plan.ts";
import { writeOrderChanges, type SharedCharge } from "../store/outcome-queries.ts";

/** Writes a batch of plans, set by set. The orders are locked by the caller, and each has one plan. */
export async function applyPlans(tx: Transaction, jobs: Jobs, plans: readonly Plan[]): Promise<void> {
  await Promise.all([
    post(tx, plans),
    // What is captured now is in flight no more: written first, because a constraint bounds the two together.
    changeCapturing(
      tx,
      plans.flatMap(({ capturing }) => capturing),
    ),
    insertCheckoutEvents(
      tx,
      plans.flatMap(({ events }) => events),
    ),
    writeOperationChanges(
      tx,
      plans.flatMap(({ operation }) => operation ?? []),
    ),
    writeOrders(tx, plans),
    markAuthorizationsEnded(
      tx,
      plans.flatMap(({ ended_authorization }) => ended_authorization ?? []),
    ),
    enqueue(tx, jobs, plans),
    addDeadLetters(
      tx,
      plans.flatMap(({ dead_letters }) => dead_letters),
    ),
  ]);
}

async function post(tx: Transaction, plans: readonly Plan[]): Promise<void> {
  const reversed = plans.flatMap(({ reversed_sources }) => reversed_sources);
  // In one call with the postings: two calls could lock accounts in another order than other transactions.
  const drafts = [
    ...plans.flatMap(({ postings }) => postings),
    ...(await reversalsOf(tx, reversed, "the capture failed at the PSP")),
  ];
  const postings = await postAll(tx, drafts);
  postings.forEach((posting, index) => {
    if (posting.outcome !== "posted")
      throw new Error(`${drafts[index]?.source} was not posted: ${posting.outcome}`);
  });
}

async function writeOrders(tx: Transaction, plans: readonly Plan[]): Promise<void> {
  const shared = await writeOrderChanges(
    tx,
    plans.flatMap(({ order }) => order ?? []),
  );
  await addDeadLetters(tx, shared.map(letterOfSharedCharge));
}

/** A charge with which a person resolved another attempt is booked twice by now. */
function letterOfSharedCharge(charge: SharedCharge): DeadLetterDraft {
  const { attempt_id, payment_order_id, psp_reference, charged_attempt_id, resolved_attempt_id } = charge;
  const reason =
    `The PSP names ${psp_reference} as the charge of ${charged_attempt_id}, but a person resolved ` +
    `${resolved_attempt_id} with it: one of the two is booked without money.`;
  return {
    queue: "payment_execute",
    subject_id: payment_order_id,
    payload: { payment_order_id, attempt_id },
    kind: "discrepancy",
    reason,
    attempt_count: 1,
  };
}

/** The planned jobs, those of new voids, and those of operations whose turn has come. */
async function enqueue(tx: Transaction, jobs: Jobs, plans: readonly Plan[]): Promise<void> {
  const planned = plans.flatMap((plan) => plan.jobs);
  const executions = planned.flatMap((job) => (job.queue === "payment_execute" ? [job] : []));
  const again = planned.flatMap((job) => (job.queue === "operation_execute" ? [job] : []));
  const [, voids] = await Promise.all([
    jobs.enqueue(tx, "payment_execute", executions),
    insertVoids(
      tx,
      plans.flatMap((plan) => plan.voids),
    ),
  ]);
  const next = await selectNextOperations(tx, plans, again);
  const started = [...new Set([...voids, ...next])].map((operation_id) => ({ data: { operation_id } }));
  await jobs.enqueue(tx, "operation_execute", [...again, ...started]);
}

/** Those that wait in the lanes that are free now, but for what is tried again later. */
async function selectNextOperations(
  tx: Transaction,
  plans: readonly Plan[],
  again: readonly Extract<PlannedJob, { queue: "operation_execute" }>[],
): Promise<string[]> {
  const freed = plans.flatMap(({ freed_lane }) => freed_lane ?? []);
  if (freed.length === 0) return [];
  const postponed = new Set(again.map(({ data }) => data.operation_id));
  return (await selectNextQueued(tx, freed)).filter((id) => !postponed.has(id));
}
