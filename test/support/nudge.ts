import { planOfOperation } from "../../src/payments/record/operation-plan.ts";
import type { OperationKind } from "../../src/payments/record/operation-kind.ts";
import type { RetryTerms } from "../../src/payments/decide/operation-retry.ts";
import { attemptId } from "../../src/ids.ts";
import { toCurrencyCode } from "../../src/money/money.ts";
import type { InquiryOutcome, OperationAnswer } from "../../src/psp/psp.ts";

/** Its row in `operation_kinds`. */
export const nudgePolicies = { kind: "nudge", unknown_inquiries_max: 2, accepted_inquiries_max: 2 };

/** A pretend operation: it asks a PSP about a charge that nobody made, and is done when the PSP says so. */
export const nudgeKind = (terms: RetryTerms): OperationKind => ({
  kind: "nudge",
  request: ({ operation_id, psp, psp_key, amount_minor, currency }) => ({
    kind: "call",
    call: async (router) => {
      const found = await router.inquire(psp, {
        attempt_id: attemptId(operation_id),
        psp_key,
        psp_reference: null,
        page_token: null,
        money: { amount_minor: amount_minor ?? 1n, currency: toCurrencyCode(currency) },
      });
      return answerOf(found);
    },
  }),
  decide: (state) => {
    if (state.subject === "charge") throw new Error("a nudge is about no charge");
    return planOfOperation(state, terms);
  },
});

function answerOf(found: InquiryOutcome): OperationAnswer {
  if (found.kind === "not_found" || found.kind === "absent") return { kind: "done", psp_reference: null };
  return found;
}
