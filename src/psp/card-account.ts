/** What the settings of all accounts that take cards have in common. */
import type { AccountFields, CallLimits, CardAccount } from "./adapter.ts";

/** How long a call to a PSP may take. */
export const timeoutBounds = { min: 0.05, max: 120, is_integer: false };

export function readCardAccount(
  fields: AccountFields,
  name: string,
  limits: CallLimits,
): Omit<CardAccount, "kind"> {
  return {
    name,
    secret_key: fields.secret("secret_key_env"),
    webhook_secrets: fields.has("webhook_secrets_env") ? fields.secrets("webhook_secrets_env") : [],
    api_base: fields.url("api_base"),
    timeout_seconds: fields.number("timeout_seconds", limits.timeout_seconds, timeoutBounds),
    calls_at_once_max: fields.number("calls_at_once_max", limits.calls_at_once_max, { min: 1, max: 1_000 }),
  };
}

type ClientOptions = Pick<CardAccount, "name" | "secret_key" | "webhook_secrets"> & {
  readonly timeout_ms: number;
  readonly connections_max: number;
  readonly api_base?: URL;
};

/** An account as the options of a client. */
export function clientOptions(account: CardAccount): ClientOptions {
  const { name, secret_key, webhook_secrets, api_base } = account;
  return {
    name,
    secret_key,
    webhook_secrets,
    timeout_ms: account.timeout_seconds * 1_000,
    connections_max: account.calls_at_once_max,
    ...(api_base === undefined ? {} : { api_base }),
  };
}
