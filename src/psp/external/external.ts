/**
 * The adapter for money that is collected outside a PSP's API: cash on delivery, bank transfers, a local
 * wallet. There is nobody to call. An attempt waits until the collector reports its outcome in a signed
 * message.
 */
import type { Failure } from "../port-outcomes.ts";
import type { Psp } from "../port.ts";
import { createVerifier } from "./signature.ts";
import { readStatus } from "./status.ts";

export type ExternalOptions = {
  readonly name: string;
  /** `whsec_` and base64; two while one is being replaced. */
  readonly webhook_secrets: readonly string[];
  /** After how long without a report an order is overdue. */
  readonly overdue_seconds: number;
};

const refusal: Failure = {
  class: "invalid_request",
  code: "external_account",
  message: "An external account takes no cards: the money is collected elsewhere.",
};

export function createExternal({ name, webhook_secrets, overdue_seconds }: ExternalOptions): Psp {
  const verify = createVerifier(webhook_secrets);
  return {
    name,
    refusalOfAmount: () => null,
    // Nothing is ever sent.
    key_seconds: 0,
    reports_within_seconds: overdue_seconds,
    charge: async () => ({ kind: "not_sent", failure: refusal, no_call_made: true }),
    pages: null,
    inquire: async ({ psp_reference }) => ({ kind: "pending", psp_reference, next_action: null }),
    releases_rest: true,
    // No money is held. If the money is collected anyway, the report becomes a dead letter.
    operate: async ({ kind }) =>
      kind === "void"
        ? { kind: "done", psp_reference: null }
        : { kind: "failed", failure: refusal, no_call_made: true },
    verifyWebhook(body, headers) {
      const psp_event_id = verify(body, headers);
      if (psp_event_id === undefined) return undefined;
      const { attempt_id, payment_order_id, outcome } = readStatus(body.toString("utf8"));
      return { psp_event_id, type: `payment.${outcome.kind}`, attempt_id, payment_order_id };
    },
    readWebhook: readStatus,
  };
}
