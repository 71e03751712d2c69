import { Type, type TSchema } from "typebox";
import { client_id_bytes_max, client_id_rule } from "../client-id.ts";

/** Shapes shared by the routes. Requests are closed (an unknown field is refused), answers are open. */
export const closed = { additionalProperties: false } as const;

/** An id that a client chooses; `client-id.ts` has its alphabet. */
export const clientId = (description?: string) =>
  Type.String({
    format: "client-id",
    minLength: 1,
    maxLength: client_id_bytes_max,
    description: [description, `It ${client_id_rule}.`].filter((text) => text !== undefined).join(" "),
  });

export const amount = Type.String({
  maxLength: 50,
  description: "Decimal string in the currency's own precision.",
  examples: ["29.99"],
});

export const currency = Type.String({
  minLength: 3,
  maxLength: 3,
  description: "ISO 4217 code.",
  examples: ["USD"],
});

export const timestamp = Type.String({
  description: "RFC 3339, UTC, microseconds.",
  examples: ["2026-01-02T03:04:05.678901Z"],
});

export const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

export const email = Type.String({ minLength: 3, maxLength: 254, pattern: "^[^@\\s]+@[^@\\s]+$" });
