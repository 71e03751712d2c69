import { Type } from "typebox";

/** Payment through an external account: the money is collected outside a PSP's API. */
export const ExternalAccount = Type.Object(
  { psp: Type.String({ minLength: 1, maxLength: 32, description: "The name of an external account." }) },
  {
    additionalProperties: false,
    description:
      "Instead of credit_card_info: the money is collected outside a PSP's API, and the account reports " +
      "the outcome.",
  },
);
