import type { PspRouter } from "../../psp/psp.ts";
import type { Decision } from "../decide/decision.ts";
import { emptyPlan, type Plan } from "./plan.ts";
import { workOf } from "./planned-work.ts";
import { operationRowOf, orderRowOf, type RowLimits } from "./planned-rows.ts";
import { commissionsOf, undoneCommissions } from "../posting/commissions.ts";
import { postingsOf, undoneCaptures } from "../posting/postings.ts";
import type { OrderReport, Recorded } from "./psp-report.ts";
import { epochsOf, factsOf, sourceFactsOf } from "./report-facts.ts";
import type { RetryPolicies } from "../model/retry-policies.ts";
import type { OpenRow } from "../store/outcome-queries.ts";
import { decideReport } from "../decide/state-machine.ts";

export type PlanTerms = RowLimits & {
  readonly policies: RetryPolicies;
  readonly router: PspRouter;
  readonly random: () => number;
};

/** What follows from a report about a charge, or about a capture or void of it; null: nothing. */
export type DecideCharge = (report: OrderReport, row: OpenRow) => Plan | null;

export const chargeDecider =
  (terms: PlanTerms): DecideCharge =>
  (report, row) => {
    const { policies, router, random } = terms;
    const decision = decideReport({
      ...factsOf(row),
      source: sourceFactsOf(report.source, epochsOf(row)),
      outcome: report.outcome,
      // Reports about an account that is no longer configured still arrive.
      releases_rest: !router.has(row.psp) || router.get(row.psp).releases_rest,
      can_be_asked: !router.isExternal(row.psp),
      policies,
      random: random(),
    });
    return decision === null ? null : planOf({ report, row, decision }, terms);
  };

/** All that follows from a decision about an order and its attempt. */
function planOf(recorded: Recorded, terms: PlanTerms): Plan {
  const { row, decision } = recorded;
  return {
    ...emptyPlan,
    ...workOf(recorded),
    order: decision.is_unchanged ? null : orderRowOf(recorded, terms),
    new_status: decision.is_unchanged || decision.order_status === row.status ? null : decision.order_status,
    operation: operationRowOf(recorded),
    if_refused: null,
    ended_authorization: endedAuthorizationOf(recorded),
    ...bookingsOf(row, decision),
  };
}

function endedAuthorizationOf({ row: { attempt_id }, decision }: Recorded): Plan["ended_authorization"] {
  const { authorization_ended_as } = decision;
  return authorization_ended_as === null ? null : { attempt_id, authorization_ended_as };
}

function bookingsOf(
  row: Recorded["row"],
  decision: Decision,
): Pick<Plan, "postings" | "reversed" | "commissions" | "reversed_commissions"> {
  if (decision.is_unchanged) return { postings: [], reversed: [], commissions: [], reversed_commissions: [] };
  const isOfOperation = row.attempt_status === "authorized" || decision.undoes_minor > 0n;
  const order = { ...row, operation_id: isOfOperation ? row.operation_id : null };
  return {
    postings: postingsOf(order, decision, row.commission_basis_points),
    reversed: undoneCaptures(row, decision),
    commissions: commissionsOf(order, decision.captures_minor),
    reversed_commissions: undoneCommissions(row, decision),
  };
}
