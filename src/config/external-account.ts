/** Settings of an account for money that is collected outside a PSP's API. */
import { textsOf, type Fields } from "./settings-reader.ts";

export type ExternalAccount = {
  /** Part of attempts, ledger accounts and webhook URLs, so it must not change. */
  readonly name: string;
  readonly kind: "external";
  /** At least one; several while one replaces another. */
  readonly webhook_secrets: readonly string[];
  /** After how long without a status an order is overdue. */
  readonly overdue_seconds: number;
};

const secret_bytes_min = 24;
const overdue_seconds_default = 604_800;
/** Fields of PSP_ACCOUNTS that only other kinds have: there is nobody to call. */
const fieldsOfOthers = ["secret_key_env", "api_base", "timeout_seconds", "calls_at_once_max"];

/** `name` is checked by the caller; `fieldsOfKinds` are those of single kinds. */
export function externalAccountOf(
  fields: Fields,
  name: string,
  fieldsOfKinds: readonly string[],
): ExternalAccount {
  for (const field of [...fieldsOfOthers, ...fieldsOfKinds])
    if (fields.has(field)) fields.fault(field, "is not for an external account");
  const webhook_secrets = textsOf(fields.secret("webhook_secrets_env"));
  if (!webhook_secrets.every(isSecret)) {
    fields.fault(
      "webhook_secrets_env",
      `are not base64 of at least ${secret_bytes_min} bytes each, such as whsec_ and what openssl rand -base64 ${secret_bytes_min} prints`,
    );
  }
  return {
    name,
    kind: "external",
    webhook_secrets,
    overdue_seconds: fields.number("overdue_seconds", overdue_seconds_default, { min: 1, max: 31_536_000 }),
  };
}

/** Whether two accounts share a secret: the secret of a signature identifies the sender. */
export const shareSecret = (one: ExternalAccount, other: ExternalAccount): boolean =>
  one.webhook_secrets.some((secret) =>
    other.webhook_secrets.some((theirs) => base64Of(secret) === base64Of(theirs)),
  );

/** Standard Webhooks: base64 after an optional `whsec_`. */
const base64Of = (secret: string): string => secret.replace(/^whsec_/, "");

function isSecret(secret: string): boolean {
  const base64 = base64Of(secret);
  return (
    /^[A-Za-z0-9+/]+={0,2}$/.test(base64) &&
    base64.length % 4 === 0 &&
    Buffer.from(base64, "base64").length >= secret_bytes_min
  );
}
