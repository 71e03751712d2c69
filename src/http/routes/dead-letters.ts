import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { selectDeadLetter, selectDeadLetters, type DeadLetterRow } from "../../jobs/jobs.ts";
import { historyOf } from "../../payments/payments.ts";
import { authorOf } from "../auth.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { answerAction } from "../idempotency-key.ts";
import { DeadLetter, DeadLetterDetail } from "../schemas/dead-letter.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";

const params = Type.Object({ dead_letter_id: Type.String({ minLength: 1, maxLength: 64 }) });
const note = Type.String({ minLength: 1, maxLength: 500 });
const view = (row: DeadLetterRow) => ({ object: "dead_letter" as const, ...row });

export function registerDeadLetterRoutes(app: App, context: HttpContext): void {
  const { reads, actions, jobs, settings } = context;
  const signingKey = cursorKey(settings.secret_key, "dead_letters");

  app.get(
    "/dead_letters",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listDeadLetters",
        summary: "Dead letters, newest first",
        querystring: Type.Object(
          {
            ...pageQuery,
            state: Type.Optional(Type.String({ enum: ["waiting", "redriven", "discarded"] })),
            queue: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          },
          { additionalProperties: false },
        ),
        response: { 200: listOf(DeadLetter), ...problemResponses },
      },
    },
    async (request) => {
      const { limit = 25, cursor, ...filters } = request.query;
      const [created_at = "", id = ""] = cursor === undefined ? [] : decodeCursor(cursor, signingKey);
      const rows = await selectDeadLetters(reads, {
        ...filters,
        ...(cursor === undefined ? {} : { before: { created_at, id } }),
        limit: limit + 1,
      });
      return pageOf(rows, limit, signingKey, view, (row) => [row.created_at, row.dead_letter_id]);
    },
  );

  app.get(
    "/dead_letters/:dead_letter_id",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getDeadLetter",
        summary: "One dead letter, with the full history of its subject",
        params,
        response: { 200: DeadLetterDetail, ...problemResponses },
      },
    },
    async (request) => {
      const { dead_letter_id } = request.params;
      return reads.snapshot(async (snapshot) => {
        const letter = await selectDeadLetter(snapshot, dead_letter_id);
        if (letter === undefined)
          throw new AppError("not_found", `There is no dead letter ${dead_letter_id}.`, {
            param: "dead_letter_id",
          });
        return { ...view(letter), history: await historyOf(snapshot, letter) };
      });
    },
  );

  app.post(
    "/dead_letters/:dead_letter_id/redrive",
    {
      config: { scope: "admin" },
      // The note may be left out, and with it the whole body.
      preValidation: async (request) => {
        request.body ??= {};
      },
      schema: {
        operationId: "redriveDeadLetter",
        summary: "Try the work of a dead letter again",
        params,
        body: Type.Object({ note: Type.Optional(note) }, { additionalProperties: false }),
        response: { 200: DeadLetter, ...problemResponses },
      },
    },
    async (request, reply) => {
      const { dead_letter_id } = request.params;
      await answerAction(context, request, reply, async (tx) =>
        view(await actions.redrive(tx, dead_letter_id, authorOf(request), request.body.note ?? null)),
      );
      jobs.wake("payment_execute");
      return reply;
    },
  );

  app.post(
    "/dead_letters/:dead_letter_id/discard",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "discardDeadLetter",
        summary: "Close a dead letter without trying its work again, with a note",
        params,
        body: Type.Object({ note }, { additionalProperties: false }),
        response: { 200: DeadLetter, ...problemResponses },
      },
    },
    async (request, reply) =>
      answerAction(context, request, reply, async (tx) =>
        view(await actions.discard(tx, request.params.dead_letter_id, authorOf(request), request.body.note)),
      ),
  );
}
