import { Type } from "typebox";
import { nullable, timestamp } from "./fields.ts";
import { pageQuery } from "./lists.ts";

export const Event = Type.Object(
  {
    object: Type.Literal("event"),
    event_id: Type.String({ description: "Never given twice: drop an event whose id you have seen." }),
    type: Type.String({
      description: "<subject>.<what happened>, such as payment_order.succeeded; more may come.",
    }),
    version: Type.Integer({ description: "Of the form of data. A new field does not change it." }),
    occurred_at: timestamp,
    subject_type: Type.String(),
    subject_id: Type.String(),
    seller_account: nullable(Type.String()),
    checkout_id: nullable(Type.String()),
    data: Type.Record(Type.String(), Type.Unknown(), {
      description: "By type and version. Amounts are decimal strings beside their currency.",
    }),
  },
  { $id: "Event" },
);

export const EventList = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(Event),
  has_more: Type.Boolean({
    description: "Whether more may be there now. With a filter a page can be empty and this true.",
  }),
  next_cursor: Type.String({ description: "Always there: send it to read on, now or later." }),
});

export const eventQuery = {
  ...pageQuery,
  type: Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, description: "Such as payment_order.succeeded." }),
  ),
  subject_type: Type.Optional(Type.String({ minLength: 1, maxLength: 32, description: "With subject_id." })),
  subject_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
};
