/** The fields of Stripe's error object that may be sent beside its type and message. */
export interface ErrorFields {
  code?: string;
  decline_code?: string;
  param?: string;
  charge?: string;
  payment_intent?: unknown;
  payment_method?: unknown;
}

export type ErrorType = "api_error" | "card_error" | "idempotency_error" | "invalid_request_error";

/** An answer in Stripe's error format. It leaves nothing behind: no row, no stored result. */
export class StripeError extends Error {
  readonly status: number;
  readonly type: ErrorType;
  readonly fields: ErrorFields;

  constructor(status: number, type: ErrorType, message: string, fields: ErrorFields = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.fields = fields;
  }

  /** The JSON body. */
  body(): unknown {
    const { code } = this.fields;
    const docs =
      code === undefined
        ? {}
        : { doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll("_", "-")}` };
    return { error: { type: this.type, message: this.message, ...this.fields, ...docs } };
  }
}

/** 400: the request itself is wrong. */
export function invalidRequest(message: string, fields: ErrorFields = {}): StripeError {
  return new StripeError(400, "invalid_request_error", message, fields);
}

/** Stripe answers 404 for an object named in the path and 400 for one named in a parameter. */
export function missingObject(kind: string, id: string, param: string, status: 400 | 404): StripeError {
  return new StripeError(status, "invalid_request_error", `No such ${kind}: '${id}'`, {
    code: "resource_missing",
    param,
  });
}

/** 500 in Stripe's words. */
export function serverError(): StripeError {
  return new StripeError(500, "api_error", "An unknown error occurred on the simulated PSP's side.");
}
