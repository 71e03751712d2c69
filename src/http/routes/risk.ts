import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { addBlock, removeBlock, selectBlockList, type BlockKind } from "../../risk/risk.ts";
import { authorOf } from "../auth.ts";
import type { App, HttpContext } from "../context.ts";
import { answerAction } from "../idempotency-key.ts";
import { problemResponses } from "../schemas/problem.ts";

const kindSchema = Type.String({ enum: ["buyer_account", "buyer_email", "seller_account"] });
const valueSchema = Type.String({ minLength: 1, maxLength: 255 });
const block = { kind: kindSchema, value: valueSchema };
const kindOf = (text: string): BlockKind =>
  text === "buyer_email" || text === "seller_account" ? text : "buyer_account";

export function registerRiskRoutes(app: App, context: HttpContext): void {
  app.get(
    "/risk_blocks",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listRiskBlocks",
        summary: "Blocked buyers, e-mail addresses and sellers",
        response: {
          200: Type.Object({
            object: Type.Literal("list"),
            data: Type.Array(
              Type.Object({
                ...block,
                reason: Type.String(),
                created_by: Type.String(),
                created_at: Type.String(),
              }),
            ),
            has_more: Type.Boolean(),
            next_cursor: Type.Null(),
          }),
          ...problemResponses,
        },
      },
    },
    async () => ({
      object: "list" as const,
      data: await selectBlockList(context.reads),
      has_more: false,
      next_cursor: null,
    }),
  );

  app.post(
    "/risk_blocks",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "addRiskBlock",
        summary: "Block a buyer, an e-mail address or a seller",
        body: Type.Object(
          { ...block, reason: Type.String({ minLength: 1, maxLength: 500 }) },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ ...block, reason: Type.String() }), ...problemResponses },
      },
    },
    async (request, reply) =>
      answerAction(context, request, reply, async (tx) => {
        const { value, reason } = request.body;
        await addBlock(tx, { kind: kindOf(request.body.kind), value, reason }, authorOf(request));
        return request.body;
      }),
  );

  app.post(
    "/risk_blocks/remove",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "removeRiskBlock",
        summary: "Remove a block",
        body: Type.Object(block, { additionalProperties: false }),
        response: { 200: Type.Object(block), ...problemResponses },
      },
    },
    async (request, reply) =>
      answerAction(context, request, reply, async (tx) => {
        const { value } = request.body;
        if (!(await removeBlock(tx, { kind: kindOf(request.body.kind), value }, authorOf(request))))
          throw new AppError("not_found", "There is no such block.");
        return request.body;
      }),
  );
}
