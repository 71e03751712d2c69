import { expect, test } from "vitest";
import { attemptId, checkoutId, operationId, paymentOrderId } from "../../ids.ts";
import type { PspReference } from "../../psp/psp.ts";
import { usd } from "../../../test/support/charge-decisions.ts";
import type { OperationStatus } from "../model/model.ts";
import type { OpenRow } from "../store/outcome-queries.ts";
import { emptyPlan, type Plan } from "./plan.ts";
import { withChargeReferences } from "./planned-references.ts";
import type { OrderReport, ReportSource } from "./psp-report.ts";

const attempt = {
  payment_order_id: paymentOrderId("order_1"),
  checkout_id: checkoutId("checkout_1"),
  seller_account: "seller",
  amount_minor: 2_999n,
  currency: "USD",
  status: "AUTHORIZED",
  status_cause: "psp_succeeded",
  captured_minor: 0n,
  capturing_minor: 2_999n,
  failed_capture_count: 0,
  commission_rule: "default",
  commission_basis_points: 250n,
  attempt_id: attemptId("att_1"),
  attempt_amount_minor: 2_999n,
  page_token: null,
  psp: "stripe",
  psp_reference: "pi_1",
  attempt_status: "authorized",
  attempt_number: 1,
  epoch: 1,
  inquiry_count: 0,
  failure_class: null,
  failure_code: null,
  failure_message: null,
  capture_method: "manual",
  authorization_ended_as: null,
  resolved_as: null,
  resolution_reference: null,
  has_next_action: false,
} as const;
const none: OpenRow = { ...attempt, operation_id: null };
const operation = (operation_kind: string, operation_status: OperationStatus = "executing"): OpenRow => ({
  ...attempt,
  operation_id: operationId("op_1"),
  operation_kind,
  lane: "attempt:att_1",
  unknown_inquiries_max: 8,
  accepted_inquiries_max: 8,
  operation_status,
  operation_amount_minor: 2_999n,
  capture_id: null,
  is_final: true,
  void_cause: null,
  key_number: 1,
  operation_epoch: 1,
  operation_inquiry_count: 0,
  operation_psp_reference: null,
  operation_failure_code: null,
});
const intent: PspReference = { type: "payment_intent", reference: "pi_1" };
const charge: PspReference = { type: "charge", reference: "ch_1" };
const booked: PspReference = { type: "balance_transaction", reference: "txn_1" };

const inquiry: ReportSource = { kind: "inquiry", epoch: 1, psp_call_ms: 1, job: null };
const ofOperation: ReportSource = { kind: "webhook", message_id: "inwh_1", operation_id: "op_1" };
const answer = (is_first_send: boolean): ReportSource => ({
  kind: "operation",
  operation_id: "op_1",
  is_first_send,
  key_number: 1,
  epoch: 1,
  psp_call_ms: 1,
  job: { id: "job_1", retry_count: 0, data: { operation_id: "op_1" } },
});
const resolution: ReportSource = { kind: "resolution", operation: null };

function report(
  references: readonly PspReference[],
  source: ReportSource = inquiry,
  changes: Partial<OrderReport> = {},
  psp_reference = "pi_1",
): OrderReport {
  return {
    payment_order_id: "order_1",
    attempt_id: "att_1",
    is_first: true,
    actor: "executor",
    source,
    outcome: {
      kind: "succeeded",
      psp_reference,
      charged: { amount_minor: 2_999n, currency: usd },
      references,
    },
    ...changes,
  };
}
const settled = (status: "succeeded" | "unknown"): Plan => ({
  ...emptyPlan,
  operation: {
    operation_id: "op_1",
    status,
    psp_reference: null,
    is_new_key: false,
    has_stored_failure: false,
    is_inquired: false,
    failure_class: null,
    failure_code: null,
    failure_message: null,
    retry_delay_seconds: null,
  },
});
/** What each id stands for. */
const planned = (plan: Plan | null, about: OrderReport, row: OpenRow): string[] =>
  (withChargeReferences(plan, about, row)?.references ?? []).map(
    ({ reference, subject_id }) => `${reference} ${subject_id}`,
  );

test("a charge's ids stand for its attempt, also if nothing else follows from the report", () => {
  const unnamed = { ...none, psp_reference: null };
  expect(planned(emptyPlan, report([intent, charge]), unnamed)).toEqual(["pi_1 att_1", "ch_1 att_1"]);
  expect(planned(null, report([intent, charge]), unnamed)).toEqual(["pi_1 att_1", "ch_1 att_1"]);
});

test("a report that gives nothing but known ids plans nothing", () => {
  expect(withChargeReferences(null, report([intent]), none)).toBeNull();
  expect(withChargeReferences(null, report([]), none)).toBeNull();
});

test("the ids of another charge than the attempt's own are not its ids, unless a person says so", () => {
  const other: PspReference = { type: "payment_intent", reference: "pi_2" };
  expect(planned(emptyPlan, report([other, charge], inquiry, {}, "pi_2"), none)).toEqual([]);
  expect(planned(emptyPlan, report([other], resolution, {}, "pi_2"), none)).toEqual(["pi_2 att_1"]);
});

test("only the report of a page's first order brings its ids", () => {
  expect(planned(emptyPlan, report([charge], inquiry, { is_first: false }), none)).toEqual([]);
});

test.each(["capture", "void"] as const)("the PSP's id of a %s stands for the operation", (type) => {
  const about = report([charge, { type, reference: "883" }], ofOperation);
  expect(planned(settled("unknown"), about, operation(type))).toEqual(["ch_1 att_1", "883 op_1"]);
  expect(planned(emptyPlan, report([{ type, reference: "883" }]), operation(type))).toEqual(["883 att_1"]);
});

test("a balance transaction stands for the capture that has just been made, and for no other", () => {
  const about = report([booked], ofOperation);
  expect(planned(settled("succeeded"), about, operation("capture"))).toEqual(["txn_1 op_1"]);
  expect(planned(settled("unknown"), about, operation("capture"))).toEqual([]);
  expect(planned(settled("succeeded"), about, operation("void"))).toEqual([]);
  expect(planned(settled("succeeded"), report([booked]), operation("capture"))).toEqual([]);
});

test("it stands for the capture also if a webhook told of that before the answer to the request", () => {
  const made = operation("capture", "succeeded");
  expect(planned(null, report([booked], answer(true)), made)).toEqual(["txn_1 op_1"]);
  // By then it may be a later capture's.
  expect(planned(null, report([booked], answer(false)), made)).toEqual([]);
  expect(planned(null, report([booked], answer(true)), operation("capture"))).toEqual([]);
});

test("and for the attempt, if that was captured at once", () => {
  expect(planned(emptyPlan, report([booked]), { ...none, capture_method: "automatic" })).toEqual([
    "txn_1 att_1",
  ]);
});
