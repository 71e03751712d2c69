/** The PSPs' accounts: PSP_ACCOUNTS and PSP_STRIPE_…. */
import { externalAccountOf, shareSecret, type ExternalAccount } from "./external-account.ts";
import { development_psp_keys, key_not_configured } from "./safety-rules.ts";
import { isWebUrl, textsOf, type Fields, type SettingsReader } from "./settings-reader.ts";

/** A PSP as it is called: two accounts at one PSP are two. */
export type PspAccount = {
  /** Part of attempts, ledger accounts and webhook URLs, so it must not change. */
  readonly name: string;
  readonly secret_key: string;
  readonly webhook_secrets: readonly string[];
  /** Undefined: the PSP's own. */
  readonly api_base: URL | undefined;
  readonly timeout_seconds: number;
  readonly calls_at_once_max: number;
} & ({ readonly kind: "stripe" } | AdyenSettings);

type AdyenSettings = {
  readonly kind: "adyen";
  readonly merchant_account: string;
  /** Where a buyer would come back to from a page of Adyen's. */
  readonly return_url: string;
  /** Enabled by Adyen for the merchant account: captures leave the rest as it is. */
  readonly has_multiple_partial_captures: boolean;
  /** Undefined: Adyen's test platform. */
  readonly live_endpoint_prefix: string | undefined;
};

export type PspAccounts = {
  /** The first takes the orders for which there is no rule. */
  readonly accounts: readonly [PspAccount, ...PspAccount[]];
  /** For money collected outside a PSP's API: chosen by each checkout, never by a rule. */
  readonly external_accounts: readonly ExternalAccount[];
};

const timeoutBounds = { min: 0.05, max: 120, is_integer: false };
const adyenFields = [
  "merchant_account",
  "return_url",
  "live_endpoint_prefix",
  "has_multiple_partial_captures",
];
const accountFields = [
  "name",
  "kind",
  "secret_key_env",
  "webhook_secrets_env",
  "api_base",
  "timeout_seconds",
  "calls_at_once_max",
  "overdue_seconds",
  ...adyenFields,
];

/** The accounts of PSP_ACCOUNTS. If none of them takes cards, the account of PSP_STRIPE_… is added. */
export function pspAccounts(read: SettingsReader, psp_concurrency: number): PspAccounts {
  const timeout_seconds = read.number("PSP_TIMEOUT_SECONDS", 10, timeoutBounds);
  // Room for the worker's calls and for the pages that requests register at the same time.
  const calls_at_once_max = Math.ceil(psp_concurrency * 1.25);
  const objects = read.objects("PSP_ACCOUNTS", accountFields);
  const stripe = {
    name: "stripe",
    kind: "stripe",
    secret_key: read.text("PSP_STRIPE_SECRET_KEY", key_not_configured),
    webhook_secrets: read.list("PSP_STRIPE_WEBHOOK_SECRET"),
    api_base: read.url("PSP_STRIPE_API_BASE"),
    timeout_seconds,
    calls_at_once_max,
  } as const;
  const all = (objects ?? []).map((fields) => accountOf(fields, { timeout_seconds, calls_at_once_max }));
  const [first = stripe, ...others] = all.flatMap((account) =>
    account.kind === "external" ? [] : [account],
  );
  refuseSilentRemoval(read, stripe, [first, ...others]);
  for (const [index, { name }] of all.entries()) {
    const isTaken =
      all.findIndex((other) => other.name === name) < index || (first === stripe && name === stripe.name);
    if (isTaken) objects?.[index]?.fault("name", "is another account's too");
  }
  const external_accounts = all.flatMap((account) => (account.kind === "external" ? [account] : []));
  for (const [index, account] of all.entries()) {
    const isShared =
      account.kind === "external" &&
      external_accounts.some((other) => other !== account && shareSecret(account, other));
    if (isShared) objects?.[index]?.fault("webhook_secrets_env", "has a secret of another account");
  }
  return { accounts: [first, ...others], external_accounts };
}

/**
 * With accounts that take cards in PSP_ACCOUNTS the settings of Stripe are out of use: its orders would find
 * no account, and nobody would have said so.
 */
function refuseSilentRemoval(
  read: SettingsReader,
  stripe: { readonly name: string; readonly secret_key: string },
  accounts: readonly { readonly name: string }[],
): void {
  if (stripe.secret_key === "" || development_psp_keys.includes(stripe.secret_key)) return;
  if (accounts.some(({ name }) => name === stripe.name)) return;
  read.faults.push(
    "PSP_STRIPE_SECRET_KEY: is not used while PSP_ACCOUNTS has an account that takes cards, so orders at Stripe would lose " +
      `their account: move it into PSP_ACCOUNTS under the name ${stripe.name}, or unset it if nothing was ever charged there`,
  );
}

/** Names that appear in ledger account codes and URLs; the name of the other webhook route is reserved. */
const isAccountName = (text: string): boolean =>
  /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text) && text.length <= 32 && text !== "payment-status";

function accountOf(
  fields: Fields,
  defaults: Pick<PspAccount, "timeout_seconds" | "calls_at_once_max">,
): PspAccount | ExternalAccount {
  const name = fields.text(
    "name",
    isAccountName,
    "of lower-case letters, digits and single dashes, at most 32, and not payment-status",
  );
  const kind = fields.text(
    "kind",
    (text) => ["stripe", "adyen", "external"].includes(text),
    "stripe, adyen or external",
  );
  if (kind === "external") return externalAccountOf(fields, name, adyenFields);
  if (fields.has("overdue_seconds")) fields.fault("overdue_seconds", "is for external accounts only");
  const account = {
    name,
    secret_key: fields.secret("secret_key_env"),
    webhook_secrets: fields.has("webhook_secrets_env") ? textsOf(fields.secret("webhook_secrets_env")) : [],
    api_base: fields.url("api_base"),
    timeout_seconds: fields.number("timeout_seconds", defaults.timeout_seconds, timeoutBounds),
    calls_at_once_max: fields.number("calls_at_once_max", defaults.calls_at_once_max, { min: 1, max: 1_000 }),
  };
  if (kind === "adyen") {
    // Adyen's library takes a key that is not hexadecimal for an empty one, with which anybody can sign.
    if (!account.webhook_secrets.every((key) => /^([0-9a-f]{2}){16,}$/i.test(key)))
      fields.fault("webhook_secrets_env", "are not Adyen's hexadecimal HMAC keys");
    return { ...account, ...adyenSettings(fields) };
  }
  for (const field of adyenFields)
    if (kind === "stripe" && fields.has(field)) fields.fault(field, "is for Adyen only");
  return { ...account, kind: "stripe" };
}

function adyenSettings(fields: Fields): AdyenSettings {
  const isName = (text: string): boolean => /^[\w-]+$/.test(text);
  return {
    kind: "adyen",
    merchant_account: fields.text("merchant_account", isName, "the name of your merchant account"),
    return_url: fields.text("return_url", isWebUrl, "a URL with http or https"),
    has_multiple_partial_captures: fields.flag("has_multiple_partial_captures"),
    live_endpoint_prefix: fields.has("live_endpoint_prefix")
      ? fields.text("live_endpoint_prefix", isName, "the prefix of your live endpoints")
      : undefined,
  };
}
