/** The settings of accounts for money that is collected outside a PSP's API. */
import { defineAdapter, type ExternalAccount } from "../adapter.ts";
import { createExternal } from "./external.ts";

const secret_bytes_min = 24;
/** Optional before the base64 of a secret. */
const standard_webhooks_prefix = /^whsec_/;
const overdue_seconds_default = 604_800;
/** They are for calls, and there is nobody to call. */
const fieldsOfCalls = ["secret_key_env", "api_base", "timeout_seconds", "calls_at_once_max"];
const is_not_for_us = "is not for an external account";

export const external = defineAdapter<ExternalAccount & { readonly kind: "external" }>({
  kind: "external",
  takes_cards: false,
  own_fields: ["overdue_seconds"],
  own_fields_are: "is for external accounts only",
  others_fields_are: is_not_for_us,
  read(fields, name) {
    for (const field of fieldsOfCalls) if (fields.has(field)) fields.fault(field, is_not_for_us);
    const webhook_secrets = fields.secrets("webhook_secrets_env");
    if (!webhook_secrets.every(isSecret)) {
      fields.fault(
        "webhook_secrets_env",
        `are not base64 of at least ${secret_bytes_min} bytes each, such as whsec_ and what ` +
          `openssl rand -base64 ${secret_bytes_min} prints`,
      );
    }
    return {
      name,
      kind: "external",
      webhook_secrets,
      overdue_seconds: fields.number("overdue_seconds", overdue_seconds_default, { min: 1, max: 31_536_000 }),
    };
  },
  create: createExternal,
  isTestKey: () => false,
  secret_prefix: standard_webhooks_prefix,
  secretAsKey: base64Of,
});

function base64Of(secret: string): string {
  return secret.replace(standard_webhooks_prefix, "");
}

function isSecret(secret: string): boolean {
  const base64 = base64Of(secret);
  return (
    /^[A-Za-z0-9+/]+={0,2}$/.test(base64) &&
    base64.length % 4 === 0 &&
    Buffer.from(base64, "base64").length >= secret_bytes_min
  );
}
