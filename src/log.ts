import { pino, type Logger as PinoLogger } from "pino";
import { monotonicMilliseconds } from "./clock.ts";
import { RepeatFilter } from "./log-repeats.ts";
import { loggedError, summaryOf } from "./logged-error.ts";

export type Logger = PinoLogger;

/** Where a secret or card data could stand in a logged object; its value is never written. */
const secretPaths = [
  "authorization",
  "headers.authorization",
  "req.headers.authorization",
  "*.authorization",
  "api_key",
  "*.api_key",
  "secret",
  "*.secret",
  "token",
  "*.token",
  "credit_card_info",
  "*.credit_card_info",
  "password",
  "*.password",
  "psp_token",
  "*.psp_token",
];

const repeat_window_ms = 10_000;
const error_level = 50;

/** JSON logs on standard error, so that standard output stays free for what a command prints. */
export function createLogger(
  level: string,
  destination: pino.DestinationStream = pino.destination({ fd: 2, sync: false }),
): Logger {
  const repeats = new RepeatFilter({ lines_max: 20, window_ms: repeat_window_ms, kinds_max: 1_000 });
  const logger = pino(
    {
      level,
      redact: { paths: secretPaths, censor: "[redacted]" },
      base: null,
      formatters: { log: withLoggedErrors },
      // Pino's own serializer would treat our object as an error and join the messages of its causes.
      serializers: { err: (made: unknown) => made },
      hooks: {
        logMethod(args, method, levelNumber) {
          const isRepeat =
            levelNumber >= error_level && !repeats.admit(kindOf(args), monotonicMilliseconds());
          if (!isRepeat) logWithSummary.call(this, args, method);
        },
      },
    },
    destination,
  );
  setInterval(() => {
    for (const { kind, left_out } of repeats.takeLeftOut(monotonicMilliseconds())) {
      logger.info({ kind, left_out }, `${left_out} more lines like this were left out: ${kind}`);
    }
  }, repeat_window_ms).unref();
  return logger;
}

/** Lines are of one kind if they have the same text about the same error code. */
function kindOf(args: Parameters<pino.LogFn>): string {
  const [entry, ...words]: unknown[] = args;
  const error = entry instanceof Error ? entry : errorIn(entry);
  const said = [entry, ...words].find((word) => typeof word === "string") ?? "";
  return `${said} ${error === undefined ? "" : summaryOf(error)}`.trim().slice(0, 200);
}

/** Wherever an error stands in what is logged. */
function withLoggedErrors(entry: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(entry).map(([key, value]) => [key, value instanceof Error ? loggedError(value) : value]),
  );
}

/** For a line without a text of its own pino would take the error's message, which may repeat rows. */
function logWithSummary(this: PinoLogger, args: Parameters<pino.LogFn>, method: pino.LogFn): void {
  const [entry, ...words]: unknown[] = args;
  const error = entry instanceof Error ? entry : errorIn(entry);
  if (error === undefined || words.length > 0) method.apply(this, args);
  else method.apply(this, [entry instanceof Error ? { err: error } : entry, summaryOf(error)]);
}

function errorIn(entry: unknown): Error | undefined {
  return typeof entry === "object" && entry !== null && "err" in entry && entry.err instanceof Error
    ? entry.err
    : undefined;
}
