import type { Job } from "../jobs/jobs.ts";
import type { AttemptOutcome, Decision } from "./decision.ts";
import type { OpenRow } from "./settlement-queries.ts";

/** News about one attempt, from a call, an inquiry or a webhook. */
export type News = {
  /** Null: the attempt covers every order of its checkout. */
  readonly payment_order_id: string | null;
  readonly attempt_id: string;
  /** The modification that was asked for, or that a webhook names; null: the charge. */
  readonly modification_id: string | null;
  readonly outcome: AttemptOutcome;
  readonly actor: string;
  readonly is_first_send: boolean;
  /** From a person who has looked at the PSP. */
  readonly is_resolution?: boolean;
  /**
   * The epoch in which the sender took up the attempt, or the modification where that is named; null: a
   * webhook.
   */
  readonly epoch: number | null;
  /** It answers a request of ours for the modification. */
  readonly is_answer_to_modification: boolean;
  /** The number of the key that the request had. */
  readonly sent_key_number?: number | null;
  readonly is_inquiry: boolean;
  /** How long the PSP took to say it; null when it came by webhook. */
  readonly psp_call_ms: number | null;
  /** The job that led here; completed in the same commit. */
  readonly job: Job<"payment_execute"> | null;
  readonly modification_job: Job<"payment_modify"> | null;
  /** The webhook that said it; marked as applied in the same commit. */
  readonly message_id: string | null;
};

/** News about one order of an attempt; the first order's carry the jobs, the webhook, the modification and the next look. */
export type OrderNews = News & { readonly payment_order_id: string; readonly is_first: boolean };
export type Settled = { readonly news: OrderNews; readonly row: OpenRow; readonly decision: Decision };
