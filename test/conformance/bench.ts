import type { Psp } from "../../src/psp/port.ts";
import type { Received } from "./receiver.ts";

/** What a test changes of how the service opens an adapter. */
export type OpenChanges = {
  readonly api_base?: URL;
  readonly secret_key?: string;
  readonly timeout_ms?: number;
  readonly webhook_secrets?: readonly string[];
};

/** A PSP that runs, and its adapter. The PSP knows the simulator's test cards and faults. */
export type Bench = {
  /** The adapter as the service opens it, with a second's patience and the PSP's webhook secret. */
  open(changes?: OpenChanges): Psp;
  /** The charges the PSP really made for an order, in the PSP's own minor units. */
  chargesOf(
    payment_order_id: string,
  ): Promise<readonly { readonly amount_minor: number; readonly currency: string }[]>;
  setFaults(faults: unknown): Promise<void>;
  /** What the PSP sent to the webhook endpoint so far. */
  readonly webhooks: readonly Received[];
  readonly webhook_secret: string;
  /** Another one of the same form. */
  readonly other_webhook_secret: string;
  stop(): Promise<void>;
};

/** `found`: by an inquiry with nothing but the attempt. `again`: by the same request under the same key. */
export type FaultOutcome = { readonly first: string; readonly found: string; readonly again: string };

/** Where PSPs rightly differ. Whatever is not here is the same for all of them. */
export type PspProfile = {
  /** A test card by its name, as a card token of this PSP. */
  card(name: string): string;
  /** Test cards, and our codes for their declines, beside those that every PSP has. */
  readonly hard_declines: readonly (readonly [card: string, code: string])[];
  readonly transient_decline_code: string;
  /** Our minor units, and the integer the PSP must have been sent. */
  readonly amounts: readonly (readonly [amount_minor: bigint, currency: string, at_psp: number])[];
  readonly amounts_not_supported: readonly (readonly [amount_minor: bigint, currency: string])[];
  /** What an inquiry says of a charge that exists, with and without the PSP's reference; `not_found`: only repetition can tell. */
  readonly inquiry: "succeeded" | "not_found";
  /** What an inquiry says when the PSP cannot be reached. */
  readonly inquiry_unreachable: "unknown" | "not_found";
  /** Faults that end otherwise than the suite's table says, for a reason that stands beside it. */
  readonly faults: Readonly<Record<string, Partial<FaultOutcome>>>;
  /**
   * How the outcome of a capture or void can be learned after a stored 500: from the PSP's state, or only by
   * webhook.
   */
  readonly operation_after_500: "known" | "unknown";
  /** The same genuine message, signed longer ago than the PSP's tolerance; null: the PSP signs no time. */
  readonly stale: ((webhook: Received, secret: string) => Received) | null;
};
