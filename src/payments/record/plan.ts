import type { DeadLetterDraft, JobPayloads } from "../../jobs/jobs.ts";
import type { OrderStatus } from "../model/model.ts";
import type { PostingDraft, PostingOutcome, TransactionName } from "../../ledger/ledger.ts";
import type { CapturingChange, NewEvent, OperationChange } from "../store/operation-outcome-queries.ts";
import type { CommissionedCapture, NewCommission } from "../store/commission-queries.ts";
import type { NewVoid } from "../store/operation-queries.ts";
import type { OrderChange } from "../store/outcome-queries.ts";
import type { NewReference } from "../store/reference-queries.ts";

/** What follows from a report, as data: one place writes the plans of a batch in one commit. */
export type Plan = PlannedChanges & {
  readonly postings: readonly PostingDraft[];
  /** The ledger transactions that are reversed. */
  readonly reversed: readonly TransactionName[];
  /** The ids that the PSP gave with the report. They are stored whatever the ledger says. */
  readonly references: readonly PlannedReference[];
  /**
   * What follows instead if the ledger refuses the one transaction that the plan books: it books nothing. A
   * refusal that is not named here is a bug, and so is every one if this is null: the report is not recorded.
   */
  readonly if_refused: Readonly<Partial<Record<Refusal, PlannedChanges>>> | null;
};

export type Refusal = Exclude<PostingOutcome, "posted" | "already_posted">;

/** What is written beside the ledger. */
export type PlannedChanges = {
  /** The order with its attempt; null: both stay as they are. */
  readonly order: OrderChange | null;
  /** The state that the order moves to; null: it stays in its own. */
  readonly new_status: OrderStatus | null;
  readonly operation: OperationChange | null;
  /** The PSP ended an authorisation while a capture of it was in flight. */
  readonly ended_authorization: EndedAuthorization | null;
  readonly capturing: readonly CapturingChange[];
  /** Of the capture that the plan books. */
  readonly commissions: readonly NewCommission[];
  /** The captures whose commissions are taken back with their reversal. */
  readonly reversed_commissions: readonly CommissionedCapture[];
  readonly events: readonly NewEvent[];
  readonly voids: readonly NewVoid[];
  readonly jobs: readonly PlannedJob[];
  readonly dead_letters: readonly DeadLetterDraft[];
  /** The lane whose next operation may begin. */
  readonly freed_lane: string | null;
};

export const noChanges: PlannedChanges = {
  order: null,
  new_status: null,
  operation: null,
  ended_authorization: null,
  capturing: [],
  commissions: [],
  reversed_commissions: [],
  events: [],
  voids: [],
  jobs: [],
  dead_letters: [],
  freed_lane: null,
};

/** Changes nothing and books nothing. */
export const emptyPlan: Plan = { ...noChanges, postings: [], reversed: [], references: [], if_refused: null };

/** `letter`: the dead letter that opens if the id already belongs to something else. */
export type PlannedReference = NewReference & {
  readonly letter: Pick<DeadLetterDraft, "queue" | "subject_id" | "payload" | "attempt_count">;
};

export type EndedAuthorization = {
  readonly attempt_id: string;
  readonly authorization_ended_as: "canceled" | "expired";
};

export type PlannedJob = {
  readonly [Queue in "payment_execute" | "operation_execute"]: {
    readonly queue: Queue;
    readonly data: JobPayloads[Queue];
    readonly start_after_seconds: number;
  };
}["payment_execute" | "operation_execute"];
