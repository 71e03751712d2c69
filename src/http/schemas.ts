import { Type, type Static, type TSchema } from "typebox";
import { errorRegistry } from "../errors.ts";
import { ExternalAccount } from "./external-schema.ts";
import { client_id_bytes_max, client_id_rule } from "./client-id.ts";
import { cursor_length_max } from "./cursor.ts";

/** Shapes shared by the routes. Requests are closed (an unknown field is refused), answers are open. */
const closed = { additionalProperties: false } as const;
/** An id that a client chooses; `client-id.ts` has its alphabet. */
export const clientId = (description?: string) =>
  Type.String({
    format: "client-id",
    minLength: 1,
    maxLength: client_id_bytes_max,
    description: [description, `It ${client_id_rule}.`].filter((text) => text !== undefined).join(" "),
  });
const amount = Type.String({
  maxLength: 50,
  description: "Decimal string in the currency's own precision.",
  examples: ["29.99"],
});
const currency = Type.String({
  minLength: 3,
  maxLength: 3,
  description: "ISO 4217 code.",
  examples: ["USD"],
});
const timestamp = Type.String({
  description: "RFC 3339, UTC, microseconds.",
  examples: ["2026-01-02T03:04:05.678901Z"],
});
export const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

const email = Type.String({ minLength: 3, maxLength: 254, pattern: "^[^@\\s]+@[^@\\s]+$" });
const buyerInfo = {
  user_id: clientId("Your id of the buyer."),
  email,
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
};
const sellerInfo = {
  name: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: "As the buyer knows the shop." }),
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
                "Where the buyer comes back to after confirming the payment at the bank. Without it such a payment " +
                "needs the PSP's own library in your page.",
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
        { ...closed, description: "In place of credit_card_info: the buyer pays on the PSP's page." },
      ),
    ),
    external: Type.Optional(ExternalAccount),
    capture_method: Type.Optional(
      Type.String({
        enum: ["automatic", "manual"],
        default: "automatic",
        description:
          "manual: the card is only authorised, and captures take the money of each order. Only with credit_card_info.",
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
              description: "ISO 4217 code; USD when left out.",
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

const orderStatus = Type.String({
  description:
    "NOT_STARTED, EXECUTING, PENDING, UNKNOWN, RETRY_SCHEDULED, AUTHORIZED, SUCCESS, FAILED or CANCELED; more may come.",
});
const eventStatus = Type.String({ description: "PROCESSING, or COMPLETE once every order succeeded." });

export const NextAction = nullable(
  Type.Object(
    {
      type: Type.String({
        description: "redirect_to_url, hosted_page, use_stripe_sdk or another word of the PSP.",
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
          "A page for the buyer that shows the outcome of the payment; relative to this host. It expires after STATUS_LINK_SECONDS.",
      }),
    ),
  },
  { $id: "AcceptedCheckout" },
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
    captured_amount: Type.String({ description: "What was taken of it so far." }),
    status: orderStatus,
    status_cause: Type.String(),
    psp_token: nullable(Type.String({ description: "The PSP's reference of the charge." })),
    wallet_updated: Type.Boolean(),
    ledger_updated: Type.Boolean(),
    retry_count: Type.Integer(),
    last_retry_at: nullable(timestamp),
    next_retry_at: nullable(timestamp),
    error_code: nullable(Type.String()),
    error_message: nullable(Type.String()),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "PaymentOrder" },
);

export const PaymentAttempt = Type.Object(
  {
    object: Type.Literal("payment_attempt"),
    attempt_id: Type.String(),
    attempt_number: Type.Integer(),
    psp: Type.String(),
    psp_key: Type.String({ description: "The idempotency key at the PSP." }),
    psp_reference: nullable(Type.String()),
    status: Type.String(),
    inquiry_count: Type.Integer(),
    psp_call_ms: nullable(Type.Number()),
    failure_class: nullable(Type.String()),
    failure_code: nullable(Type.String()),
    failure_message: nullable(Type.String()),
    page_token: nullable(Type.String({ description: "The registration of a hosted page at the PSP." })),
    page_expires_at: nullable(timestamp),
    authorization_expires_at: nullable(
      Type.String({ description: "Until when an authorisation can be captured; then it is given up." }),
    ),
    resolution: nullable(
      Type.Object(
        {
          outcome: Type.String({ description: "succeeded, authorized or failed." }),
          psp_reference: nullable(Type.String()),
          note: nullable(Type.String()),
          actor: nullable(Type.String()),
          due_at: nullable(timestamp),
        },
        {
          description:
            "The outcome that a person saw at the PSP. It takes effect from due_at on, when no call to the PSP can be in flight.",
        },
      ),
    ),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "PaymentAttempt" },
);

export const PaymentModification = Type.Object(
  {
    object: Type.Literal("payment_modification"),
    modification_id: Type.String(),
    kind: Type.String({ description: "capture, or void: what is left is given up." }),
    capture_id: nullable(Type.String()),
    payment_order_id: nullable(Type.String({ description: "null: every order of a hosted page." })),
    attempt_id: Type.String(),
    amount: nullable(amount),
    currency,
    is_final: Type.Boolean({ description: "What is left after it is released." }),
    void_cause: nullable(Type.String({ description: "canceled, expired or declined." })),
    status: Type.String({
      description: "queued, executing, pending (the PSP has accepted it), unknown, succeeded or failed.",
    }),
    psp_reference: nullable(Type.String()),
    failure_code: nullable(Type.String()),
    failure_message: nullable(Type.String()),
    resolution: nullable(
      Type.Object(
        {
          outcome: Type.String({ description: "succeeded or failed." }),
          note: Type.String(),
          actor: Type.String(),
        },
        { description: "What a person saw at the PSP." },
      ),
    ),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "PaymentModification" },
);

export const NewCapture = Type.Object(
  {
    capture_id: clientId("Yours, unique within the order for ever; the idempotency key of the capture."),
    amount: Type.Optional(
      Type.String({
        maxLength: 50,
        description: "In the order's currency; all that is left when left out.",
        examples: ["10.00"],
      }),
    ),
    is_final: Type.Optional(
      Type.Boolean({
        default: true,
        description: "false: more captures follow. Otherwise what is left after this one is released.",
      }),
    ),
  },
  { ...closed, $id: "NewCapture" },
);

const Transitions = Type.Array(
  Type.Object({
    from_status: nullable(Type.String()),
    to_status: Type.String(),
    cause: Type.String(),
    actor: Type.String(),
    attempt_id: nullable(Type.String()),
    occurred_at: timestamp,
  }),
);

export const PaymentOrderDetail = Type.Object(
  {
    ...PaymentOrder.properties,
    next_action: NextAction,
    attempts: Type.Array(PaymentAttempt),
    modifications: Type.Array(PaymentModification),
    transitions: Transitions,
  },
  { $id: "PaymentOrderDetail" },
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
    return_url: nullable(Type.String({ description: "Where the buyer comes back to." })),
    status_url: nullable(
      Type.String({
        description:
          "A page for the buyer that shows the outcome of the payment; relative to this host. null once it was revoked.",
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

export const Wallet = Type.Object(
  {
    object: Type.Literal("wallet"),
    account_id: Type.String(),
    balances: Type.Array(
      Type.Object({
        currency,
        pending: amount,
        available: amount,
        reserved: amount,
        in_payout: amount,
        debt: amount,
        total: amount,
      }),
    ),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "Wallet" },
);

export const LedgerEntry = Type.Object(
  {
    object: Type.Literal("ledger_entry"),
    entry_id: Type.String({ description: "A UUID." }),
    transaction_id: Type.String(),
    source: Type.String({ description: "What the transaction was posted for." }),
    account: Type.String(),
    account_id: nullable(Type.String({ description: "The account's owner, such as the seller." })),
    debit: nullable(amount),
    credit: nullable(amount),
    entry_type: Type.String({ description: "debit or credit." }),
    currency,
    balance_after: Type.String({ description: "In the account's normal direction." }),
    description: nullable(Type.String()),
    effective_at: timestamp,
    created_at: timestamp,
  },
  { $id: "LedgerEntry" },
);

export const LedgerAccount = Type.Object(
  {
    object: Type.Literal("ledger_account"),
    account: Type.String(),
    account_id: nullable(Type.String()),
    kind: Type.String({ description: "asset, liability, revenue, expense or equity." }),
    currency,
    balance: Type.String({ description: "In the account's normal direction." }),
    entry_count: Type.String(),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { $id: "LedgerAccount" },
);

export const TrialBalance = Type.Object(
  {
    object: Type.Literal("trial_balance"),
    is_balanced: Type.Boolean(),
    currencies: Type.Array(
      Type.Object({
        currency,
        debit: amount,
        credit: amount,
        difference: Type.String(),
        account_count: Type.String(),
      }),
    ),
  },
  { $id: "TrialBalance" },
);

export const AccountBalance = Type.Object(
  {
    object: Type.Literal("ledger_balance"),
    account: Type.String(),
    currency,
    balance: Type.String(),
    at: nullable(timestamp),
    basis: Type.String({ description: "recorded: by when it was written; effective: by when it happened." }),
  },
  { $id: "AccountBalance" },
);

export const DeadLetter = Type.Object(
  {
    object: Type.Literal("dead_letter"),
    dead_letter_id: Type.String(),
    queue: Type.String(),
    subject_id: Type.String(),
    kind: Type.String({ description: "work, reversal (of a booking) or discrepancy (with the PSP)." }),
    payload: Type.Record(Type.String(), Type.Unknown()),
    reason: Type.String(),
    attempt_count: Type.Integer(),
    state: Type.String({ description: "waiting, redriven or discarded." }),
    decided_by: nullable(Type.String()),
    decision_note: nullable(Type.String()),
    created_at: timestamp,
    decided_at: nullable(timestamp),
  },
  { $id: "DeadLetter" },
);

export const Approval = Type.Object(
  {
    object: Type.Literal("approval"),
    approval_id: Type.String(),
    kind: Type.String({ description: "The kind of change: attempt_resolution; more may come." }),
    subject_id: Type.String({
      description: "The id of the object to change: for an attempt_resolution the attempt.",
    }),
    content: Type.Record(Type.String(), Type.Unknown(), {
      description: "The change that an approval carries out.",
    }),
    content_hash: Type.String({
      description: "SHA-256 of the stored content, in hexadecimal; sent with the approval.",
    }),
    state: Type.String({ description: "open, approved, rejected or expired." }),
    proposed_by: Type.String(),
    decided_by: nullable(Type.String()),
    decision_note: nullable(Type.String()),
    created_at: timestamp,
    expires_at: timestamp,
    decided_at: nullable(timestamp),
  },
  { $id: "Approval" },
);

export const DeadLetterDetail = Type.Object(
  {
    ...DeadLetter.properties,
    history: Type.Object({
      payment_order_id: nullable(
        Type.String({ description: "null: webhooks about something that is not known here." }),
      ),
      transitions: Transitions,
      attempts: Type.Array(PaymentAttempt),
      modifications: Type.Array(PaymentModification),
      webhooks: Type.Array(
        Type.Object({
          message_id: Type.String(),
          psp: Type.String(),
          psp_event_id: Type.String(),
          type: Type.String(),
          state: Type.String({
            description: "received, applied, ignored, unmatched, unsupported, rejected or failed.",
          }),
          note: nullable(Type.String()),
          received_at: timestamp,
          processed_at: nullable(timestamp),
        }),
      ),
    }),
  },
  { $id: "DeadLetterDetail" },
);

const changedFields = nullable(
  Type.Record(Type.String(), Type.Unknown(), { description: "The fields that the change concerns." }),
);

export const AuditLogEntry = Type.Object(
  {
    object: Type.Literal("audit_log_entry"),
    audit_id: Type.String(),
    occurred_at: timestamp,
    actor: Type.String({ description: "key:<key_id> for an API key, cli:<user> for the command line." }),
    action: Type.String({ description: "<subject>.<verb>, such as payment_order.cancel; more may come." }),
    subject_type: Type.String(),
    subject_id: Type.String(),
    before: changedFields,
    after: changedFields,
    reason: nullable(Type.String({ description: "The reason that the person gave." })),
    request_id: nullable(Type.String({ description: "null for the command line." })),
  },
  { $id: "AuditLogEntry" },
);

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

/** Failures that any route may answer with. */
const problem = {
  description: "A failure; see docs/errors.md.",
  content: { "application/problem+json": { schema: Problem } },
};
export const problemResponses = { "4xx": problem, "5xx": problem };

/** Any POST takes it. Its form is checked where it is read, so that the fault has its own code. */
export const idempotencyHeaders = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({
      description: "1 to 255 printable characters; the same key and body give the first answer again.",
    }),
  ),
});
