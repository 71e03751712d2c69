import type { Queryable } from "../db/db.ts";
import { hasPrefix } from "../ids.ts";
import { formatAmount, toCurrencyCode } from "../money/money.ts";
import type { ExternalReport } from "../psp/psp.ts";
import type { AttemptRow } from "./model.ts";
import { selectAttempts, selectOrder } from "./queries.ts";
import { selectAttemptsById } from "./settlement-queries.ts";

/** The attempt that a report settles, or why it settles none. */
export type MatchedReport =
  | { readonly attempt: AttemptRow }
  | { readonly state: "unmatched" | "rejected"; readonly note: string };

/**
 * Finds the attempt of an external account's report and compares the report with it: an account can report
 * its own attempts only, with their exact amount, and with one reference for each. `signer`: the account
 * whose secret signed it.
 */
export async function matchReport(
  db: Queryable,
  report: ExternalReport,
  signer: string,
): Promise<MatchedReport> {
  if (report.account !== signer)
    return rejected(`it is signed by ${signer} and speaks for ${report.account}`);
  const attempt = await findAttempt(db, report);
  if (attempt === undefined) {
    if (report.attempt_id !== null && !hasPrefix("att", report.attempt_id))
      return rejected(`${report.attempt_id} is no attempt of ours`);
    return matchWithoutAttempt(db, report);
  }
  const contradiction = findContradiction(report, attempt, signer);
  return contradiction === null ? { attempt } : rejected(contradiction);
}

/** A report may be earlier than its order; about an order that ended unpaid it is money that nobody expects. */
async function matchWithoutAttempt(
  db: Queryable,
  { payment_order_id }: ExternalReport,
): Promise<MatchedReport> {
  const order = payment_order_id === null ? undefined : await selectOrder(db, payment_order_id);
  if (order?.status === "CANCELED")
    return rejected(`the order ${order.payment_order_id} was canceled before it was to be collected`);
  return { state: "unmatched", note: "the order or attempt that it names is unknown" };
}

async function findAttempt(
  db: Queryable,
  { attempt_id, payment_order_id, reference }: ExternalReport,
): Promise<AttemptRow | undefined> {
  if (attempt_id !== null) return (await selectAttemptsById(db, [attempt_id]))[0];
  const attempts = payment_order_id === null ? [] : await selectAttempts(db, payment_order_id);
  // A late report about an earlier attempt must not settle the one that came after it.
  return attempts.find((attempt) => attempt.psp_reference === reference) ?? attempts.at(-1);
}

function findContradiction(
  { payment_order_id, money, reference }: ExternalReport,
  attempt: AttemptRow,
  signer: string,
): string | null {
  if (attempt.psp !== signer)
    return `the attempt ${attempt.attempt_id} is of the account ${attempt.psp}, for which ${signer} may not speak`;
  if (payment_order_id !== null && payment_order_id !== attempt.payment_order_id)
    return `the attempt ${attempt.attempt_id} is of ${attempt.payment_order_id === null ? "a whole checkout" : `the order ${attempt.payment_order_id}`}, not of ${payment_order_id}`;
  const wanted = { amount_minor: attempt.amount_minor, currency: toCurrencyCode(attempt.currency) };
  if (money.amount_minor !== wanted.amount_minor || money.currency !== wanted.currency) {
    return `it reports ${formatAmount(money)} ${money.currency}, and the attempt ${attempt.attempt_id} is of ${formatAmount(wanted)} ${wanted.currency}`;
  }
  if (attempt.psp_reference !== null && attempt.psp_reference !== reference) {
    return `its reference is ${reference}, and the attempt ${attempt.attempt_id} was reported as ${attempt.psp_reference} before`;
  }
  return null;
}

const rejected = (note: string): MatchedReport => ({ state: "rejected", note });
