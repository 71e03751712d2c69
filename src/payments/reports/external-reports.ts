import type { Queryable } from "../../db/db.ts";
import { hasPrefix } from "../../ids.ts";
import type { DeadLetterDraft } from "../../jobs/jobs.ts";
import { formatAmount, toCurrencyCode } from "../../money/money.ts";
import type { ExternalReport } from "../../psp/psp.ts";
import type { AttemptRow } from "../model/model.ts";
import { selectAttempts, selectOrder } from "../store/queries.ts";
import { selectAttemptsById } from "../store/attempt-queries.ts";

/** The attempt that a report is about, or why there is none. */
export type MatchedReport =
  | { readonly attempt: AttemptRow }
  | {
      readonly state: "unmatched" | "rejected";
      readonly note: string;
      /** Money that the account says it took: nothing more is collected before a person has dealt with it. */
      readonly discrepancies: readonly DeadLetterDraft[];
    };

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
  if (attempt === undefined) return matchWithoutAttempt(db, report, signer);
  const contradiction = findContradiction(report, attempt, signer);
  if (contradiction === null) return { attempt };
  const named = await findNamed(db, report);
  return rejected(contradiction, discrepanciesOf(report, signer, [attempt, named], contradiction));
}

/**
 * A report may be earlier than its order; about an order that ended unpaid it is money that nobody expects.
 */
async function matchWithoutAttempt(
  db: Queryable,
  report: ExternalReport,
  signer: string,
): Promise<MatchedReport> {
  const { attempt_id, payment_order_id } = report;
  const named = attempt_id === null ? undefined : await findNamed(db, report);
  // An order that has attempts knows each that was ever begun, so this one is not early.
  if (attempt_id !== null && (named !== undefined || !hasPrefix("att", attempt_id))) {
    const note = `${attempt_id} is no attempt of ours`;
    return rejected(note, discrepanciesOf(report, signer, [named], note));
  }
  const order = payment_order_id === null ? undefined : await selectOrder(db, payment_order_id);
  if (order?.status === "CANCELED")
    return rejected(`the order ${order.payment_order_id} was canceled before it was to be collected`);
  return { state: "unmatched", note: "the order or attempt that it names is unknown", discrepancies: [] };
}

async function findAttempt(db: Queryable, report: ExternalReport): Promise<AttemptRow | undefined> {
  const { attempt_id } = report;
  return attempt_id === null ? findNamed(db, report) : (await selectAttemptsById(db, [attempt_id]))[0];
}

/** The attempt of the order that the report names. */
async function findNamed(
  db: Queryable,
  { payment_order_id, reference }: ExternalReport,
): Promise<AttemptRow | undefined> {
  const attempts = payment_order_id === null ? [] : await selectAttempts(db, payment_order_id);
  // A late report about an earlier attempt must not decide the one that came after it.
  return attempts.find((attempt) => attempt.psp_reference === reference) ?? attempts.at(-1);
}

function findContradiction(
  { payment_order_id, money, reference }: ExternalReport,
  attempt: AttemptRow,
  signer: string,
): string | null {
  const named = `the attempt ${attempt.attempt_id}`;
  if (attempt.psp !== signer)
    return `${named} is of the account ${attempt.psp}, for which ${signer} may not speak`;
  if (payment_order_id !== null && payment_order_id !== attempt.payment_order_id) {
    const own =
      attempt.payment_order_id === null ? "a whole checkout" : `the order ${attempt.payment_order_id}`;
    return `${named} is of ${own}, not of ${payment_order_id}`;
  }
  const wanted = { amount_minor: attempt.amount_minor, currency: toCurrencyCode(attempt.currency) };
  if (money.amount_minor !== wanted.amount_minor || money.currency !== wanted.currency) {
    const reported = `${formatAmount(money)} ${money.currency}`;
    return `it reports ${reported}, and ${named} is of ${formatAmount(wanted)} ${wanted.currency}`;
  }
  if (attempt.psp_reference !== null && attempt.psp_reference !== reference) {
    return `its reference is ${reference}, and ${named} was reported as ${attempt.psp_reference} before`;
  }
  return null;
}

/**
 * A letter for each order for which the report says that the money was taken. An account stops its own orders
 * only. No page has an external account, so its attempts have an order.
 */
function discrepanciesOf(
  { outcome, account, money, reference }: ExternalReport,
  signer: string,
  attempts: readonly (AttemptRow | undefined)[],
  contradiction: string,
): DeadLetterDraft[] {
  if (outcome.kind !== "succeeded") return [];
  const reported = `${account} reports a success (${reference}) of ${formatAmount(money)} ${money.currency}`;
  const letters = new Map<string, DeadLetterDraft>();
  for (const attempt of attempts) {
    if (attempt === undefined || attempt.psp !== signer) continue;
    const { payment_order_id, attempt_id, attempt_number } = attempt;
    if (payment_order_id === null || letters.has(payment_order_id)) continue;
    letters.set(payment_order_id, {
      queue: "payment_execute",
      subject_id: payment_order_id,
      kind: "discrepancy",
      payload: { payment_order_id, attempt_id },
      reason: `${reported} that is not booked: ${contradiction}.`,
      attempt_count: attempt_number,
    });
  }
  return [...letters.values()];
}

const rejected = (note: string, discrepancies: readonly DeadLetterDraft[] = []): MatchedReport => ({
  state: "rejected",
  note,
  discrepancies,
});
