import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import {
  contentOf,
  selectApproval,
  selectApprovals,
  type ApprovalRow,
  type Proposal,
  type Requester,
} from "../../approvals/approvals.ts";
import { AppError } from "../../errors.ts";
import { formatAmount, toCurrencyCode } from "../../money/money.ts";
import { authorOf } from "../auth.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { answerAction } from "../idempotency-key.ts";
import { Approval } from "../schemas/approval.ts";
import { idempotencyHeaders } from "../schemas/idempotency-headers.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";

const params = Type.Object({ approval_id: Type.String({ minLength: 1, maxLength: 64 }) });
const note = Type.String({ minLength: 1, maxLength: 500 });

export const requesterOf = (request: FastifyRequest): Requester => ({
  ...authorOf(request),
  key_id: request.caller.key_id,
});

export function approvalView(approval: ApprovalRow) {
  const { proposer_key_id: _proposer, approver_key_id: _approver, ...row } = approval;
  const content_hash = row.content_hash.toString("hex");
  return { object: "approval" as const, ...row, content: shown(contentOf(row)), content_hash };
}

/** Stored in minor units, shown as every amount of the API. The hash is that of the stored text. */
function shown(content: Proposal["content"]) {
  const {
    outcome = null,
    psp_reference = null,
    amount_minor,
    currency = null,
    dead_letter_ids = null,
  } = content;
  const amount =
    typeof amount_minor === "string" && currency !== null
      ? formatAmount({ amount_minor: BigInt(amount_minor), currency: toCurrencyCode(currency) })
      : null;
  return { outcome, psp_reference, amount, currency, note: content["note"] ?? null, dead_letter_ids };
}

export function registerApprovalRoutes(app: App, context: HttpContext): void {
  const { reads, actions, settings } = context;
  const signingKey = cursorKey(settings.secret_key, "approvals");

  app.get(
    "/approvals",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "listApprovals",
        summary: "Proposals that need another key's approval, open and decided, newest first",
        querystring: Type.Object(
          {
            ...pageQuery,
            kind: Type.Optional(Type.String({ enum: ["attempt_resolution"] })),
            state: Type.Optional(Type.String({ enum: ["open", "approved", "rejected", "expired"] })),
          },
          { additionalProperties: false },
        ),
        response: { 200: listOf(Approval), ...problemResponses },
      },
    },
    async (request) => {
      const { limit = 25, cursor, ...filters } = request.query;
      const [created_at = "", approval_id = ""] =
        cursor === undefined ? [] : decodeCursor(cursor, signingKey);
      const before = cursor === undefined ? {} : { before: { created_at, approval_id } };
      const rows = await selectApprovals(reads, { ...filters, ...before, limit: limit + 1 });
      return pageOf(rows, limit, signingKey, approvalView, (row) => [row.created_at, row.approval_id]);
    },
  );

  app.get(
    "/approvals/:approval_id",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "getApproval",
        summary: "One approval",
        params,
        response: { 200: Approval, ...problemResponses },
      },
    },
    async ({ params: { approval_id } }) => {
      const approval = await selectApproval(reads, approval_id);
      if (approval === undefined) {
        throw new AppError("not_found", `There is no approval ${approval_id}.`, { param: "approval_id" });
      }
      return approvalView(approval);
    },
  );

  app.post(
    "/approvals/:approval_id/approve",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "approve",
        summary: "Approve a proposal of another key and carry it out, both in one transaction",
        headers: idempotencyHeaders,
        params,
        body: Type.Object(
          {
            content_hash: Type.String({
              pattern: "^[0-9a-f]{64}$",
              description: "The content_hash of the approval that you read.",
            }),
            note: Type.Optional(note),
          },
          { additionalProperties: false },
        ),
        response: { 200: Approval, ...problemResponses },
      },
    },
    async (request, reply) =>
      answerAction(context, request, reply, async (tx) => {
        const { content_hash, note: said = null } = request.body;
        const verdict = { content_hash, note: said, by: requesterOf(request) };
        return approvalView(await actions.approve(tx, request.params.approval_id, verdict));
      }),
  );

  app.post(
    "/approvals/:approval_id/reject",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "reject",
        summary: "Reject a proposal; its proposer may do so too",
        headers: idempotencyHeaders,
        params,
        body: Type.Object({ note }, { additionalProperties: false }),
        response: { 200: Approval, ...problemResponses },
      },
    },
    async (request, reply) =>
      answerAction(context, request, reply, async (tx) => {
        const verdict = { note: request.body.note, by: requesterOf(request) };
        return approvalView(await actions.reject(tx, request.params.approval_id, verdict));
      }),
  );
}
