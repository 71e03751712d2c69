import { pino, type Logger as PinoLogger } from "pino";

export type Logger = PinoLogger;

/** Where a secret or card data could stand in a logged object; its value is never written. */
const secretPaths = [
  "authorization", "headers.authorization", "req.headers.authorization", "*.authorization",
  "api_key", "*.api_key", "secret", "*.secret", "token", "*.token", "credit_card_info", "*.credit_card_info",
  "password", "*.password", "psp_token", "*.psp_token",
];

/** JSON logs on standard error, so that standard output stays free for what a command prints. */
export function createLogger(level: string): Logger {
  return pino({ level, redact: { paths: secretPaths, censor: "[redacted]" }, base: null }, pino.destination({ fd: 2, sync: false }));
}
