import type { Database } from "../../db/db.ts";
import { WorkLoop } from "../../jobs/jobs.ts";
import type { Logger } from "../../log.ts";
import { toCurrencyCode } from "../../money/money.ts";
import type { PspOutcome } from "../../psp/psp.ts";
import {
  postponeResolutions,
  selectDueResolutions,
  type DueResolution,
} from "../store/attempt-resolution-queries.ts";
import { resolved_by_person, type AttemptRow } from "../model/model.ts";
import type { OutcomeRecorder } from "../record/outcome-recorder.ts";

type Parts = {
  readonly database: Database;
  readonly recorder: OutcomeRecorder;
  readonly log: Logger;
  readonly idle_poll_ms: number;
};

const batch_attempts_max = 100;
/** After an error, which is logged. */
const postponed_seconds = 60;

/**
 * Records resolutions. It calls no PSP, so neither a breaker nor a PSP account that is no longer configured
 * delays it.
 */
export function createAttemptResolver({ database, recorder, log, idle_poll_ms }: Parts): WorkLoop {
  const visibleToAll = createVisibilityFilter();
  return new WorkLoop({
    name: "attempt_resolution",
    log,
    idle_poll_ms,
    run: async () => {
      const due = visibleToAll(await selectDueResolutions(database, batch_attempts_max));
      const results = await Promise.allSettled(due.map((attempt) => record(recorder, attempt)));
      const failed = due.filter(({ attempt_id }, index) => {
        const result = results[index];
        if (result?.status !== "rejected") return false;
        log.error({ err: result.reason as unknown, attempt_id }, "a resolution could not be recorded");
        return true;
      });
      const failedIds = failed.map(({ attempt_id }) => attempt_id);
      if (failedIds.length > 0) await postponeResolutions(database, failedIds, postponed_seconds);
      return due.length === batch_attempts_max ? due.length : 0;
    },
  });
}

/**
 * Passes a resolution with a charge only after every transaction that may not have seen it has ended. If one
 * of them has booked that charge for another attempt, the recorder now finds it.
 */
function createVisibilityFilter(): (due: readonly DueResolution[]) => DueResolution[] {
  let awaited: ReadonlyMap<string, bigint> = new Map();
  return (due) => {
    const awaitedOf = ({ attempt_id, next_transaction }: DueResolution): bigint =>
      awaited.get(attempt_id) ?? next_transaction;
    const waiting = due.filter((one) => one.resolved_as !== "failed" && awaitedOf(one) > one.oldest_running);
    awaited = new Map(waiting.map((one) => [one.attempt_id, awaitedOf(one)]));
    return due.filter((one) => !waiting.includes(one));
  };
}

function record(recorder: OutcomeRecorder, attempt: AttemptRow): Promise<void> {
  if (attempt.resolved_by === null) throw new Error(`nobody has resolved the attempt ${attempt.attempt_id}`);
  return recorder.record({
    payment_order_id: attempt.payment_order_id,
    attempt_id: attempt.attempt_id,
    outcome: outcomeOf(attempt),
    actor: attempt.resolved_by,
    source: { kind: "resolution", operation: null },
  });
}

/** A resolution in the form of a PSP's report. A person names the payment, by whichever of its ids. */
function outcomeOf(attempt: AttemptRow): PspOutcome {
  const { resolution_reference: reference, resolved_as } = attempt;
  const outcome = resolvedOutcome(attempt);
  if (reference === null || resolved_as === "failed") return outcome;
  return { ...outcome, references: [{ type: "payment", reference }] };
}

function resolvedOutcome(attempt: AttemptRow): PspOutcome {
  const { resolved_as, resolution_reference, resolution_note, amount_minor, currency } = attempt;
  const money = { amount_minor, currency: toCurrencyCode(currency) };
  if (resolved_as === "succeeded" && resolution_reference !== null) {
    return { kind: "succeeded", psp_reference: resolution_reference, charged: money };
  }
  if (resolved_as === "authorized" && resolution_reference !== null) {
    const captured = { ...money, amount_minor: 0n };
    return {
      kind: "authorized",
      psp_reference: resolution_reference,
      authorized: money,
      captured,
      expires_at: null,
    };
  }
  const failure = {
    class: "hard_decline",
    code: resolved_by_person,
    message: resolution_note ?? "",
  } as const;
  // Where no money is, an id is a note: one that was mistyped would keep its own payment from being resolved.
  return { kind: "declined", psp_reference: null, failure };
}
