import { Type, type TSchema } from "typebox";
import { cursor_length_max } from "../cursor.ts";
import { nullable } from "./fields.ts";

export const listOf = <Schema extends TSchema>(item: Schema) =>
  Type.Object({
    object: Type.Literal("list"),
    data: Type.Array(item),
    has_more: Type.Boolean(),
    next_cursor: nullable(Type.String()),
  });

/** Every list takes these. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 25 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: cursor_length_max })),
};
