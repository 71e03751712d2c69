/**
 * The registry of domain outcomes: code → HTTP status, title, whether the same call may succeed later.
 * Clients branch on the code. A test compares this table with `docs/errors.md` and `openapi.json`.
 */
export const errorRegistry = {
  invalid_request: { status: 400, title: "The request is not valid", is_retryable: false },
  invalid_json: { status: 400, title: "The body is not valid JSON", is_retryable: false },
  invalid_amount: { status: 400, title: "The amount is not valid for its currency", is_retryable: false },
  unsupported_currency: {
    status: 400,
    title: "The currency cannot be used for payments",
    is_retryable: false,
  },
  amount_not_supported: { status: 400, title: "No PSP account can take this amount", is_retryable: false },
  card_number_refused: {
    status: 400,
    title: "Card data is refused; send the PSP's token",
    is_retryable: false,
  },
  idempotency_key_invalid: { status: 400, title: "The Idempotency-Key is not valid", is_retryable: false },
  invalid_cursor: { status: 400, title: "The cursor is not valid", is_retryable: false },
  unauthenticated: { status: 401, title: "No valid API key", is_retryable: false },
  forbidden: { status: 403, title: "The API key lacks the required scope", is_retryable: false },
  approval_needs_another_key: {
    status: 403,
    title: "Another API key must approve this",
    is_retryable: false,
  },
  signature_invalid: { status: 403, title: "The webhook's signature is not valid", is_retryable: false },
  not_found: { status: 404, title: "There is no such object", is_retryable: false },
  request_timeout: { status: 408, title: "The request did not arrive in time", is_retryable: true },
  idempotency_key_in_use: {
    status: 409,
    title: "A request with this key is still running",
    is_retryable: true,
  },
  payment_order_id_in_use: {
    status: 409,
    title: "A payment_order_id belongs to another checkout",
    is_retryable: false,
  },
  state_conflict: { status: 409, title: "The state of the object does not allow this", is_retryable: false },
  history_detached: {
    status: 410,
    title: "The entries of that time are no longer in this database",
    is_retryable: false,
  },
  link_expired: { status: 410, title: "The link has expired or was revoked", is_retryable: false },
  events_expired: { status: 410, title: "The events that come next were removed", is_retryable: false },
  payload_too_large: { status: 413, title: "The body is too large", is_retryable: false },
  unsupported_media_type: { status: 415, title: "Send application/json", is_retryable: false },
  expectation_failed: { status: 417, title: "The Expect header cannot be met", is_retryable: false },
  idempotency_key_reused: {
    status: 422,
    title: "The key was used with a different request",
    is_retryable: false,
  },
  checkout_id_reused: {
    status: 422,
    title: "The checkout_id was used with different content",
    is_retryable: false,
  },
  capture_id_reused: {
    status: 422,
    title: "The capture_id was used with different content",
    is_retryable: false,
  },
  capture_exceeds_authorization: {
    status: 422,
    title: "The amount exceeds what is left of the authorisation",
    is_retryable: false,
  },
  resolution_amount_mismatch: {
    status: 422,
    title: "The amount or currency differs from the attempt's",
    is_retryable: false,
  },
  page_refused: { status: 422, title: "The PSP did not open a page for this checkout", is_retryable: false },
  concurrency_limited: { status: 429, title: "Too many requests at once", is_retryable: true },
  rate_limited: { status: 429, title: "Too many requests", is_retryable: true },
  headers_too_large: { status: 431, title: "The path and headers are too large", is_retryable: false },
  internal_error: { status: 500, title: "Something went wrong on our side", is_retryable: true },
  read_timeout: { status: 503, title: "The read took too long", is_retryable: true },
  psp_unavailable: { status: 503, title: "The PSP cannot be reached", is_retryable: true },
  unavailable: { status: 503, title: "The service cannot answer now", is_retryable: true },
} as const satisfies Record<string, { status: number; title: string; is_retryable: boolean }>;

export type ErrorCode = keyof typeof errorRegistry;

/** One fault in a request: its place (brackets for nesting), its code, and what to do. */
export type FieldError = { readonly param: string; readonly code: ErrorCode; readonly message: string };

type AppErrorOptions = {
  readonly param?: string;
  readonly errors?: readonly FieldError[];
  readonly retry_after_seconds?: number;
  readonly cause?: unknown;
};

/** A domain outcome that ends a request: shown to the caller as problem details, never a bug. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly errors: readonly FieldError[];
  readonly retry_after_seconds: number | undefined;

  constructor(code: ErrorCode, detail: string, options: AppErrorOptions = {}) {
    super(detail, { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.param = options.param;
    this.errors = options.errors ?? [];
    this.retry_after_seconds = options.retry_after_seconds;
  }

  get status(): number {
    return errorRegistry[this.code].status;
  }
}

/** The message of any thrown value. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
