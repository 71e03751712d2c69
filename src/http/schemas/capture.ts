import { Type } from "typebox";
import { clientId, closed } from "./fields.ts";

export const NewCapture = Type.Object(
  {
    capture_id: clientId("Yours, unique within the order for ever; the idempotency key of the capture."),
    amount: Type.Optional(
      Type.String({
        maxLength: 50,
        description: "In the order's currency. Default: everything that is left of the authorisation.",
        examples: ["10.00"],
      }),
    ),
    is_final: Type.Optional(
      Type.Boolean({
        default: true,
        description: "false: more captures follow. Otherwise the rest is released after this capture.",
      }),
    ),
  },
  { ...closed, $id: "NewCapture" },
);
