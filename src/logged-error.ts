/** Errors as they are logged: what helps to find a fault, without the content of rows and requests. */

type LoggedError = {
  readonly type: string;
  readonly message?: string;
  readonly code?: string | number;
  readonly [field: string]: unknown;
};

/** Deep enough for a cause of a cause; a chain may be a ring. */
const causes_max = 5;

/**
 * An error for the log. Of PostgreSQL's only what names code and schema: its message, detail, context and
 * parameters repeat rows ("Failing row contains (…)", "invalid input syntax for type uuid: …"). Of others the
 * message and the stack; other fields are left out, for libraries keep whole requests there.
 */
export function loggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error };
  const { cause } = error;
  const below = depth < causes_max && cause instanceof Error ? { cause: loggedError(cause, depth + 1) } : {};
  if (isDatabaseError(error)) {
    const { code, constraint, table, schema, column, routine } = error;
    return {
      type: "DatabaseError",
      code,
      constraint,
      table,
      schema,
      column,
      routine,
      stack: framesOf(error),
      ...below,
    };
  }
  const code = codeOf(error);
  const inner =
    error instanceof AggregateError && depth < causes_max
      ? { errors: error.errors.slice(0, causes_max).map((one: unknown) => loggedError(one, depth + 1)) }
      : {};
  return {
    type: error.name,
    message: summaryOf(error),
    ...(code === undefined ? {} : { code }),
    stack: framesOf(error),
    ...below,
    ...inner,
  };
}

/**
 * One line for a person, without what PostgreSQL says of rows, also where another error's message repeats it.
 */
export function summaryOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isDatabaseError(error)) {
    const place = [error.constraint, error.table].filter((name) => name !== undefined).join(" of ");
    return `PostgreSQL refused with ${error.code}${place === "" ? "" : ` (${place})`}`;
  }
  let message = error.message;
  let { cause } = error;
  for (let depth = 0; depth < causes_max && cause instanceof Error; depth++) {
    if (isDatabaseError(cause) && cause.message !== "")
      message = message.replaceAll(cause.message, summaryOf(cause));
    ({ cause } = cause);
  }
  return message;
}

type DatabaseFields = { readonly code: string } & {
  readonly [Name in "constraint" | "table" | "schema" | "column" | "routine"]?: string;
};

/**
 * By its form, because the driver may be loaded twice: only PostgreSQL's errors have a severity and a code of
 * five characters.
 */
function isDatabaseError(error: Error): error is Error & DatabaseFields {
  return (
    "severity" in error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^[0-9A-Z]{5}$/.test(error.code)
  );
}

function codeOf(error: Error): string | number | undefined {
  return "code" in error && (typeof error.code === "string" || typeof error.code === "number")
    ? error.code
    : undefined;
}

/** The frames of its stack without the message before them; undefined if the two cannot be told apart. */
function framesOf(error: Error): string | undefined {
  const { stack, message } = error;
  if (stack === undefined) return undefined;
  const end = message === "" ? stack.indexOf("\n") : stack.indexOf(message) + message.length;
  if (message !== "" && !stack.includes(message)) return undefined;
  const frames = stack
    .slice(end)
    .split("\n")
    .filter((line) => /^ {4}at /.test(line));
  return frames.length === 0 ? undefined : frames.join("\n");
}
