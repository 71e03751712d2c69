import { Type } from "typebox";

/** Any POST takes it. Its form is checked where it is read, so that the fault has its own code. */
export const idempotencyHeaders = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({
      description: "1 to 255 printable characters; the same key and body give the first answer again.",
    }),
  ),
});
