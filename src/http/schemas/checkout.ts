import { Type, type Static } from "typebox";
import { ExternalAccount } from "./external-account.ts";
import { amount, clientId, closed, currency, email, nullable, timestamp } from "./fields.ts";
import { NextAction, PaymentOrder, orderStatus } from "./payment-order.ts";

const buyerInfo = {
  user_id: clientId("Your id of the buyer."),
  email,
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
};

const sellerInfo = {
  name: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: "The shop's name as buyers know it." }),
  ),
  legal_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  email: Type.Optional(email),
  phone: Type.Optional(
    Type.String({ pattern: "^\\+[1-9][0-9]{6,14}$", description: "E.164.", examples: ["+4915112345678"] }),
  ),
  country: Type.Optional(Type.String({ pattern: "^[A-Z]{2}$", description: "ISO 3166-1." })),
  tax_id: Type.Optional(Type.String({ minLength: 1, maxLength: 50 })),
  website: Type.Optional(Type.String({ maxLength: 1_000, pattern: "^https?://\\S+$" })),
};

export const NewCheckout = Type.Object(
  {
    checkout_id: clientId("Yours, unique for ever; the idempotency key of the checkout."),
    buyer_info: Type.Object(buyerInfo, closed),
    seller_info: Type.Optional(
      nullable(
        Type.Object(sellerInfo, {
          ...closed,
          description: "Stored with the checkout and shown again; it does not decide who is paid.",
        }),
      ),
    ),
    credit_card_info: Type.Optional(
      Type.Object(
        {
          token: Type.String({
            minLength: 1,
            maxLength: 255,
            description: "The PSP's token for the card, never a card number.",
          }),
          last4: Type.Optional(Type.String({ pattern: "^[0-9]{4}$" })),
          return_url: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 1_000,
              description:
                "Where the buyer returns after confirming the payment at the bank. Without it such a " +
                "payment needs the PSP's own library in your page.",
            }),
          ),
          country: Type.Optional(
            Type.String({
              pattern: "^[A-Z]{2}$",
              description: "Where the card was issued (ISO 3166-1), for routing rules.",
            }),
          ),
        },
        closed,
      ),
    ),
    hosted_page: Type.Optional(
      Type.Object(
        {
          return_url: Type.String({
            minLength: 1,
            maxLength: 1_000,
            description: "Where the PSP's page sends the buyer afterwards. HTTPS, or HTTP on this machine.",
          }),
        },
        { ...closed, description: "Instead of credit_card_info: the buyer pays on the PSP's page." },
      ),
    ),
    external: Type.Optional(ExternalAccount),
    capture_method: Type.Optional(
      Type.String({
        enum: ["automatic", "manual"],
        default: "automatic",
        description:
          "manual: the card is only authorised, and captures take the money of each order. Only with " +
          "credit_card_info.",
      }),
    ),
    payment_orders: Type.Array(
      Type.Object(
        {
          payment_order_id: clientId("Yours, unique for ever."),
          seller_account: clientId("Who receives the money."),
          amount,
          currency: Type.Optional(
            Type.String({
              minLength: 3,
              maxLength: 3,
              default: "USD",
              description: "ISO 4217 code; USD by default.",
            }),
          ),
        },
        closed,
      ),
      { minItems: 1, maxItems: 100 },
    ),
  },
  { ...closed, $id: "NewCheckout" },
);

export type NewCheckout = Static<typeof NewCheckout>;

const eventStatus = Type.String({ description: "PROCESSING, or COMPLETE once every order succeeded." });

export const AcceptedCheckout = Type.Object(
  {
    object: Type.Literal("checkout"),
    checkout_id: Type.String(),
    payment_event_status: eventStatus,
    risk_decision: Type.String({ description: "pass, review (a person decides first) or reject." }),
    payment_orders: Type.Array(
      Type.Object({
        payment_order_id: Type.String(),
        seller_account: Type.String(),
        amount,
        currency,
        status: orderStatus,
      }),
    ),
    next_action: Type.Optional(NextAction),
    created_at: timestamp,
    hosted_page_url: Type.Optional(
      nullable(
        Type.String({ description: "Send the buyer here; null while the checkout waits for a review." }),
      ),
    ),
    status_url: Type.Optional(
      Type.String({
        description:
          "A page for the buyer that shows the outcome of the payment; relative to this host. It expires " +
          "after STATUS_LINK_SECONDS.",
      }),
    ),
  },
  { $id: "AcceptedCheckout" },
);

export const Checkout = Type.Object(
  {
    object: Type.Literal("checkout"),
    checkout_id: Type.String(),
    payment_event_status: eventStatus,
    is_payment_done: Type.Boolean(),
    buyer_info: Type.Object(buyerInfo),
    seller_info: nullable(Type.Object(sellerInfo)),
    credit_card_info: nullable(Type.Object({ last4: nullable(Type.String()) })),
    hosted_page: nullable(Type.Object({ return_url: Type.String() })),
    external: nullable(Type.Object({ psp: Type.String() })),
    return_url: nullable(Type.String({ description: "Where the buyer returns." })),
    status_url: nullable(
      Type.String({
        description:
          "A page for the buyer that shows the outcome of the payment; relative to this host. null once it " +
          "was revoked.",
      }),
    ),
    risk_decision: Type.String(),
    risk_reasons: Type.Array(Type.String()),
    payment_orders: Type.Array(PaymentOrder),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "Checkout" },
);
