/** An answer in Adyen's error format. It leaves nothing behind: no row, no stored result. */
export class AdyenError extends Error {
  readonly status: number;
  readonly errorCode: string;
  readonly errorType: "internal" | "security" | "validation";
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    errorCode: string,
    message: string,
    errorType: AdyenError["errorType"] = "validation",
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
    this.errorType = errorType;
    this.headers = headers;
  }

  /** The JSON body. */
  body(): unknown {
    return {
      status: this.status,
      errorCode: this.errorCode,
      message: this.message,
      errorType: this.errorType,
    };
  }
}

/** 422: the request is wrong. */
export function invalidRequest(errorCode: string, message: string): AdyenError {
  return new AdyenError(422, errorCode, message);
}

/** Another request with this key runs now; Adyen marks it as an error that passes. */
export function keyInProgress(): AdyenError {
  return new AdyenError(422, "704", "request already processed or in progress", "validation", {
    "transient-error": "true",
  });
}

/** 500 in Adyen's format. */
export function serverError(): AdyenError {
  return new AdyenError(500, "0", "An unknown error occurred on the simulated PSP's side.", "internal");
}
