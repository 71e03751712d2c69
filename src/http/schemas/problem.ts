import { Type } from "typebox";
import { errorRegistry } from "../../errors.ts";
import { nullable } from "./fields.ts";

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String(),
    code: Type.String({ description: `One of ${Object.keys(errorRegistry).join(", ")}; more may come.` }),
    param: nullable(Type.String()),
    errors: Type.Array(Type.Object({ param: Type.String(), code: Type.String(), message: Type.String() })),
  },
  { $id: "Problem", description: "RFC 9457 problem details; branch on `code`." },
);

/** Failures that any route may answer with. */
const problem = {
  description: "A failure; see docs/errors.md.",
  content: { "application/problem+json": { schema: Problem } },
};

export const problemResponses = { "4xx": problem, "5xx": problem };
