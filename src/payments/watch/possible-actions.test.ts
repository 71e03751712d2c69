import { describe, expect, test } from "vitest";
import type { UnresolvedRow } from "../store/monitor-queries.ts";
import { possibleActions, type PossibleAction } from "./possible-actions.ts";

const asked = { is_configured: true, reports_by_itself: false };

const actionsOf = (changes: Partial<UnresolvedRow>, account = asked): string[] =>
  actions(changes, account).map(({ action, path }) => (path === null ? action : `${action} ${path}`));

const actions = (changes: Partial<UnresolvedRow>, account = asked): PossibleAction[] =>
  possibleActions(
    {
      payment_order_id: "o/1",
      checkout_id: "c",
      status: "UNKNOWN",
      status_cause: "psp_unknown",
      status_since: "",
      status_age_seconds: 1,
      psp: "stripe",
      attempt_id: "att_1",
      attempt_status: "unknown",
      inquiry_count: 0,
      operation_id: null,
      operation_kind: null,
      operation_status: null,
      error_code: null,
      error_message: null,
      next_retry_at: null,
      created_at: "",
      resolved_as: null,
      resolution_due_at: null,
      approval_id: null,
      dead_letter_id: null,
      dead_letter_kind: null,
      ...changes,
    },
    account,
  );

const none = { attempt_id: null, attempt_status: null, psp: null } as const;

describe("what can be done about an order", () => {
  test.each<[string, Partial<UnresolvedRow>, string[]]>([
    [
      "that a risk rule holds",
      { ...none, status: "PENDING", status_cause: "risk_review" },
      ["review /checkouts/c/review"],
    ],
    ["that has not started", { ...none, status: "NOT_STARTED" }, ["wait", "cancel /payments/o%2F1/cancel"]],
    [
      "that is tried again later",
      { status: "RETRY_SCHEDULED", attempt_status: "not_sent" },
      ["wait", "cancel /payments/o%2F1/cancel"],
    ],
    [
      "that is executing",
      { status: "EXECUTING", attempt_status: "executing" },
      ["wait", "resolve_attempt /attempts/att_1/resolve"],
    ],
    [
      "that waits for its buyer",
      { status: "PENDING", attempt_status: "pending" },
      ["wait", "resolve_attempt /attempts/att_1/resolve", "cancel /payments/o%2F1/cancel"],
    ],
    [
      "with a dead letter",
      { dead_letter_id: "dead_1", dead_letter_kind: "work" },
      ["wait", "resolve_attempt /attempts/att_1/resolve", "redrive /dead_letters/dead_1/redrive"],
    ],
    [
      "that a discrepancy keeps from its next attempt",
      {
        status: "RETRY_SCHEDULED",
        attempt_status: "declined",
        dead_letter_id: "dead_1",
        dead_letter_kind: "discrepancy",
      },
      ["discard /dead_letters/dead_1/discard", "cancel /payments/o%2F1/cancel"],
    ],
    [
      "with an open attempt and a discrepancy",
      { dead_letter_id: "dead_1", dead_letter_kind: "discrepancy" },
      ["wait", "resolve_attempt /attempts/att_1/resolve", "discard /dead_letters/dead_1/discard"],
    ],
    ["that a person has resolved", { resolved_as: "failed", resolution_due_at: "soon" }, ["wait"]],
    [
      "whose resolution is proposed",
      { approval_id: "appr_1" },
      ["wait", "approve /approvals/appr_1/approve"],
    ],
    ["of another amount", { error_code: "amount_mismatch" }, ["resolve_attempt /attempts/att_1/resolve"]],
    [
      "of another amount, whose letter the resolution closes",
      { error_code: "amount_mismatch", dead_letter_id: "dead_1", dead_letter_kind: "discrepancy" },
      ["resolve_attempt /attempts/att_1/resolve"],
    ],
    [
      "with a capture that waits for its turn",
      {
        status: "AUTHORIZED",
        attempt_status: "authorized",
        operation_id: "op_1",
        operation_kind: "capture",
        operation_status: "queued",
      },
      ["wait"],
    ],
    [
      "with a capture under way",
      {
        status: "AUTHORIZED",
        attempt_status: "authorized",
        operation_id: "op_1",
        operation_kind: "capture",
        operation_status: "unknown",
      },
      ["wait", "resolve_operation /operations/op_1/resolve"],
    ],
  ])("%s", (_what, changes, expected) => {
    expect(actionsOf(changes)).toEqual(expected);
  });

  test("whose PSP is not configured any more is for a person alone", () => {
    const account = { is_configured: false, reports_by_itself: false };
    expect(actionsOf({}, account)).toEqual(["resolve_attempt /attempts/att_1/resolve"]);
  });

  test("of an external account waits for the collector: nobody is asked", () => {
    const waiting = { status: "PENDING", attempt_status: "pending" } as const;
    const reasonWith = (reports_by_itself: boolean): string | undefined =>
      actions(waiting, { is_configured: true, reports_by_itself })[0]?.reason;
    expect(reasonWith(true)).toBe("The collector has not reported it yet.");
    expect(reasonWith(false)).toMatch(/asked automatically/);
  });
});
