/** What the tests of resolutions share: a stack on which attempts stay undecided, and two people. */
import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { deadLettersAbout, type Letter } from "../support/answers.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, orderIn } from "./requests.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

export const lease_seconds = 3;

let reference_count = 0;
/** What a person says who has seen the attempt succeed; each time under another reference. */
export const seen = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  outcome: "succeeded",
  psp_reference: `pi_seen_${++reference_count}`,
  amount: "29.99",
  currency: "USD",
  note: "Seen in the dashboard.",
  ...changes,
});
export const failed = { outcome: "failed", note: "The dashboard has no such payment." };

export type ResolutionDesk = {
  readonly stack: TestStack;
  /** The key of a second person. */
  readonly other_key: string;
  /** An order of this amount whose attempt stays UNKNOWN. */
  undecided(
    amount?: string,
    changes?: Record<string, unknown>,
  ): Promise<{ readonly id: string; readonly attempt_id: string }>;
  /** A signed webhook about the attempt, of the charge with this id. */
  stripeTells(
    attempt_id: string,
    charge_id: string,
    changes?: { type?: string; intent?: Record<string, unknown> },
  ): Promise<void>;
  resolve(attempt_id: string, body: unknown, headers?: Record<string, string>): Promise<Reply>;
  approve(approval: Record<string, unknown>, key: string): Promise<Reply>;
  capturesOf(id: string): Promise<unknown[]>;
  lettersAbout(id: string): Promise<Letter[]>;
  auditsOf(subject: string): Promise<unknown[]>;
};

export async function openResolutionDesk(): Promise<ResolutionDesk> {
  const secret = `whsec_${randomBytes(24).toString("base64")}`;
  const stack = await startTestStack({
    environment: {
      SIMULATOR_WEBHOOK_SECRET: secret,
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: String(lease_seconds),
      PSP_BREAKER_FAILURES: "1000",
      RESOLUTION_APPROVAL_AMOUNTS: "USD:100.00",
    },
    has_webhooks: true,
  });
  const { token } = await stack.db.createKey("second person", ["read", "write", "admin"]);
  return {
    stack,
    other_key: token,
    async undecided(amount = "29.99", changes = {}) {
      const never_answered = card("tok_fault_timeout_before_charge");
      const {
        order_ids: [id],
      } = await acceptCheckout(stack, { ...never_answered, ...changes }, [{ amount }]);
      const order = await orderIn(stack, id, "UNKNOWN");
      return { id, attempt_id: order.attempts[0]?.attempt_id ?? "none" };
    },
    async stripeTells(attempt_id, charge_id, { type = "payment_intent.succeeded", intent = {} } = {}) {
      const attempt = { attempt_id, payment_order_id: "", amount: 2_999 };
      const body = stripeEvent(attempt, {
        type,
        intent: { id: charge_id, metadata: { attempt_id }, ...intent },
      });
      const headers = { "stripe-signature": stripeSignature(body, secret) };
      expect(await sendStripe(stack, body, headers)).toMatchObject({ status: 200 });
    },
    resolve: (attempt_id, body, headers) =>
      stack.call("POST", `/attempts/${attempt_id}/resolve`, body, headers),
    approve: (approval, key) =>
      stack.call(
        "POST",
        `/approvals/${String(approval["approval_id"])}/approve`,
        { content_hash: approval["content_hash"] },
        { authorization: `Bearer ${key}` },
      ),
    capturesOf: (id) =>
      stack.db.asOwner("select part from ledger_transactions where subject_id = $1 and kind = 'captured'", [
        id,
      ]),
    lettersAbout: (id) => deadLettersAbout(stack, id),
    auditsOf: (subject) =>
      stack.db.asOwner("select action, reason from audit_log where subject_id = $1 order by audit_id", [
        subject,
      ]),
  };
}
