import { Type } from "typebox";
import { amount, currency, nullable, timestamp } from "./fields.ts";
import { PaymentAttempt } from "./payment-attempt.ts";
import { PaymentOperation } from "./payment-operation.ts";

export const orderStatus = Type.String({
  description:
    "NOT_STARTED, EXECUTING, PENDING, UNKNOWN, RETRY_SCHEDULED, AUTHORIZED, SUCCESS, FAILED or CANCELED; " +
    "more may come.",
});

export const NextAction = nullable(
  Type.Object(
    {
      type: Type.String({
        description: "redirect_to_url, hosted_page, use_stripe_sdk or another value from the PSP.",
      }),
      redirect_url: nullable(Type.String({ description: "Send the buyer here." })),
      client_secret: nullable(
        Type.String({
          description: "Give this to the PSP's library in the buyer's browser. Do not log or store it.",
        }),
      ),
      expires_at: timestamp,
    },
    { description: "What the buyer must do before the payment goes on; null: nothing." },
  ),
);

export const PaymentOrder = Type.Object(
  {
    object: Type.Literal("payment_order"),
    payment_order_id: Type.String(),
    checkout_id: Type.String(),
    buyer_account: Type.String(),
    seller_account: Type.String(),
    amount,
    currency,
    capture_method: Type.String({ description: "automatic or manual." }),
    captured_amount: Type.String({ description: "The amount captured so far." }),
    status: orderStatus,
    status_cause: Type.String({ description: "Why it is in this status; docs/causes.md explains each." }),
    psp_token: nullable(Type.String({ description: "The PSP's id of the charge." })),
    wallet_updated: Type.Boolean(),
    ledger_updated: Type.Boolean(),
    retry_count: Type.Integer(),
    last_retry_at: nullable(timestamp),
    next_retry_at: nullable(
      Type.String({
        description:
          "RFC 3339, UTC, microseconds. When the order is processed next: a new attempt if it is " +
          "RETRY_SCHEDULED, otherwise an inquiry at the PSP.",
        examples: ["2026-01-02T03:04:05.678901Z"],
      }),
    ),
    error_code: nullable(Type.String()),
    error_message: nullable(Type.String()),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "PaymentOrder" },
);

const Commissions = Type.Array(
  Type.Object({
    component: Type.String({ description: "platform; more may come." }),
    rule: Type.String({ description: "The rule that made it, fixed when the order was accepted." }),
    basis_points: Type.Integer({ description: "The rule's rate: 250 is 2.5 %." }),
    amount: Type.String({
      description:
        "Decimal string in the currency's own precision. Negative: given back, the capture failed.",
      examples: ["0.75", "-0.75"],
    }),
    currency,
    capture_id: nullable(Type.String({ description: "null: the order was captured at once." })),
  }),
  { description: "What the platform took of each capture; nothing is listed for a commission of 0." },
);

export const Transitions = Type.Array(
  Type.Object({
    from_status: nullable(Type.String()),
    to_status: Type.String(),
    cause: Type.String({ description: "As status_cause." }),
    actor: Type.String(),
    attempt_id: nullable(Type.String()),
    occurred_at: timestamp,
  }),
);

export const References = Type.Array(
  Type.Object({
    type: Type.String({
      description:
        "What the id is of, in the PSP's word: payment_intent, charge, balance_transaction, checkout_session, " +
        "payment, capture, void; more may come.",
    }),
    reference: Type.String({ description: "The id, unique within the PSP account of its attempt." }),
    subject_id: Type.String({ description: "The attempt (att_…) or operation (op_…) that it stands for." }),
  }),
  { description: "Every id that a PSP gave for the attempts and operations, in the order they came." },
);

export const PaymentOrderDetail = Type.Object(
  {
    ...PaymentOrder.properties,
    next_action: NextAction,
    attempts: Type.Array(PaymentAttempt),
    operations: Type.Array(PaymentOperation),
    references: References,
    commissions: Commissions,
    transitions: Transitions,
  },
  { $id: "PaymentOrderDetail" },
);
