import type { Database } from "../db/db.ts";
import { WorkLoop } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { toCurrencyCode } from "../money/money.ts";
import type { PspOutcome } from "../psp/psp.ts";
import {
  postponeResolutions,
  selectDueResolutions,
  type DueResolution,
} from "./attempt-resolution-queries.ts";
import { resolved_by_person, type AttemptRow } from "./model.ts";
import type { Settlement } from "./settlement.ts";

type Parts = {
  readonly database: Database;
  readonly settlement: Settlement;
  readonly log: Logger;
  readonly idle_poll_ms: number;
};

const batch_attempts_max = 100;
/** After an error, which is logged. */
const postponed_seconds = 60;

/**
 * Settles resolutions. It calls no PSP, so neither a breaker nor a PSP account that is no longer configured
 * delays it.
 */
export function createAttemptResolver({ database, settlement, log, idle_poll_ms }: Parts): WorkLoop {
  const takeVisible = createTurnstile();
  return new WorkLoop({
    name: "attempt_resolution",
    log,
    idle_poll_ms,
    run: async () => {
      const due = takeVisible(await selectDueResolutions(database, batch_attempts_max));
      const results = await Promise.allSettled(due.map((attempt) => settle(settlement, attempt)));
      const failed = due.filter(({ attempt_id }, index) => {
        const result = results[index];
        if (result?.status !== "rejected") return false;
        log.error({ err: result.reason as unknown, attempt_id }, "a resolution could not be settled");
        return true;
      });
      const failedIds = failed.map(({ attempt_id }) => attempt_id);
      if (failedIds.length > 0) await postponeResolutions(database, failedIds, postponed_seconds);
      return due.length === batch_attempts_max ? due.length : 0;
    },
  });
}

/**
 * Lets the resolution with a charge through once every transaction has ended that may not have seen it. If one
 * of them has booked that charge for another attempt, the settlement now finds it.
 */
function createTurnstile(): (due: readonly DueResolution[]) => DueResolution[] {
  let awaited: ReadonlyMap<string, bigint> = new Map();
  return (due) => {
    const awaitedOf = ({ attempt_id, next_transaction }: DueResolution): bigint =>
      awaited.get(attempt_id) ?? next_transaction;
    const waiting = due.filter((one) => one.resolved_as !== "failed" && awaitedOf(one) > one.oldest_running);
    awaited = new Map(waiting.map((one) => [one.attempt_id, awaitedOf(one)]));
    return due.filter((one) => !waiting.includes(one));
  };
}

function settle(settlement: Settlement, attempt: AttemptRow): Promise<void> {
  if (attempt.resolved_by === null) throw new Error(`nobody has resolved the attempt ${attempt.attempt_id}`);
  return settlement.settle({
    payment_order_id: attempt.payment_order_id,
    attempt_id: attempt.attempt_id,
    modification_id: null,
    outcome: outcomeOf(attempt),
    actor: attempt.resolved_by,
    is_first_send: false,
    epoch: null,
    is_resolution: true,
    is_inquiry: false,
    psp_call_ms: null,
    job: null,
    modification_job: null,
    is_answer_to_modification: false,
    message_id: null,
  });
}

/** A resolution in the form of a PSP's report. */
function outcomeOf(attempt: AttemptRow): PspOutcome {
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
  return { kind: "declined", psp_reference: resolution_reference, failure };
}
