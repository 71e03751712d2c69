import type { Decision } from "./decision.ts";
import type { Plan } from "./plan.ts";
import { workOf } from "./planned-work.ts";
import { operationRowOf, orderRowOf, type RowLimits } from "./planned-rows.ts";
import { postingsOf, undoneSources } from "./postings.ts";
import type { Recorded } from "./psp-report.ts";

export type PlanTerms = RowLimits & { readonly commission_basis_points: bigint };

/** All that follows from a decision about an order and its attempt. */
export function planOf(recorded: Recorded, terms: PlanTerms): Plan {
  const { row, decision } = recorded;
  return {
    order: decision.is_unchanged ? null : orderRowOf(recorded, terms),
    operation: operationRowOf(recorded),
    ended_authorization: endedAuthorizationOf(recorded),
    ...bookingsOf(row, decision, terms),
    ...workOf(recorded),
  };
}

function endedAuthorizationOf({ row: { attempt_id }, decision }: Recorded): Plan["ended_authorization"] {
  const { authorization_ended_as } = decision;
  return authorization_ended_as === null ? null : { attempt_id, authorization_ended_as };
}

function bookingsOf(
  row: Recorded["row"],
  decision: Decision,
  { commission_basis_points }: PlanTerms,
): Pick<Plan, "postings" | "reversed_sources"> {
  if (decision.is_unchanged) return { postings: [], reversed_sources: [] };
  const isOfOperation = row.attempt_status === "authorized" || decision.undoes_minor > 0n;
  const operation_id = isOfOperation ? row.operation_id : null;
  return {
    postings: postingsOf({ ...row, operation_id }, decision, commission_basis_points),
    reversed_sources: undoneSources(row, decision),
  };
}
