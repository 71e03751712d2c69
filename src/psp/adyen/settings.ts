/** The settings of accounts at Adyen. */
import { defineAdapter, type AccountFields, type CardAccount } from "../adapter.ts";
import { clientOptions, readCardAccount } from "../card-account.ts";
import { createAdyen } from "./adyen.ts";

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

type AdyenAccount = CardAccount & AdyenSettings;

export const adyen = defineAdapter<AdyenAccount>({
  kind: "adyen",
  takes_cards: true,
  own_fields: ["merchant_account", "return_url", "live_endpoint_prefix", "has_multiple_partial_captures"],
  own_fields_are: "is for Adyen only",
  read(fields, name, limits) {
    const account = readCardAccount(fields, name, limits);
    // Adyen's library takes a key that is not hexadecimal for an empty one, with which anybody can sign.
    if (!account.webhook_secrets.every((key) => /^([0-9a-f]{2}){16,}$/i.test(key)))
      fields.fault("webhook_secrets_env", "are not Adyen's hexadecimal HMAC keys");
    return { ...account, ...readOwn(fields) };
  },
  create(account) {
    const { merchant_account, return_url, has_multiple_partial_captures, live_endpoint_prefix } = account;
    return createAdyen({
      ...clientOptions(account),
      merchant_account,
      return_url,
      has_multiple_partial_captures,
      ...(live_endpoint_prefix === undefined ? {} : { live_endpoint_prefix }),
    });
  },
  // A key does not show which platform it is for.
  isTestKey: () => false,
  missingForLive: ({ live_endpoint_prefix, api_base }) =>
    live_endpoint_prefix === undefined && isTestPlatform(api_base) ? "live_endpoint_prefix" : undefined,
});

/** Without an address of its own an account is called there too. */
const isTestPlatform = (api_base: URL | undefined): boolean =>
  api_base === undefined || api_base.hostname.endsWith("-test.adyen.com");

function readOwn(fields: AccountFields): AdyenSettings {
  const isName = (text: string): boolean => /^[\w-]+$/.test(text);
  return {
    kind: "adyen",
    merchant_account: fields.text("merchant_account", isName, "the name of your merchant account"),
    return_url: fields.urlText("return_url"),
    has_multiple_partial_captures: fields.flag("has_multiple_partial_captures"),
    live_endpoint_prefix: fields.has("live_endpoint_prefix")
      ? fields.text("live_endpoint_prefix", isName, "the prefix of your live endpoints")
      : undefined,
  };
}
