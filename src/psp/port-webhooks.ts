/** What PSPs report on their own: verified webhooks and the reports in them. */
import type { Money } from "../money/money.ts";
import type { OperationOutcome, PspOutcome } from "./port-outcomes.ts";

/** A webhook whose signature was verified over its raw bytes. */
export type VerifiedWebhook = {
  readonly psp_event_id: string;
  readonly type: string;
  readonly attempt_id: string | null;
  readonly payment_order_id: string | null;
};

export type WebhookHeaders = Readonly<Record<string, string | string[] | undefined>>;

export type AttemptReport = {
  readonly attempt_id: string | null;
  readonly payment_order_id: string | null;
  readonly outcome: PspOutcome;
};

/**
 * What an external account reports about an attempt of its own. No call of ours confirms it, so all of it is
 * compared with the attempt before it counts.
 */
export type ExternalReport = {
  /** The account that the message speaks for. */
  readonly account: string;
  /** At least one of the two; without the attempt's id the order's newest attempt is meant. */
  readonly attempt_id: string | null;
  readonly payment_order_id: string | null;
  readonly money: Money;
  /** The collector's own id of the payment: the same in each report about an attempt. */
  readonly reference: string;
  readonly outcome: Extract<PspOutcome, { kind: "succeeded" | "declined" | "pending" }>;
};

/**
 * What a stored webhook says about an attempt or an operation. Null: nothing that concerns a payment of ours.
 * `unsupported`: it does, or may, and this version cannot apply it yet (refunds, disputes, payouts).
 */
export type WebhookReport =
  /**
   * Found by our id or, where the PSP does not give that back, by the PSP's own. `otherwise`: what it means
   * if the operation is not ours.
   */
  | {
      readonly operation_id: string | null;
      readonly operation_reference: string;
      readonly outcome: OperationOutcome;
      readonly otherwise: AttemptReport | null;
    }
  | AttemptReport
  | ExternalReport
  | "unsupported"
  | null;
