export interface AdyenSettings {
  api_key: string;
  merchant_account: string;
  /** Where notifications go, and the hexadecimal key they are signed with. */
  webhook: { url: string; hmac_key: string } | null;
}

export const DEFAULT_ADYEN: AdyenSettings = {
  api_key: "adyen_test_simulator",
  merchant_account: "SimulatorMerchant",
  webhook: null,
};

/** Reads the settings of the simulated Adyen; adds what is wrong to `faults`. */
export function readAdyenSettings(
  env: Readonly<Record<string, string | undefined>>,
  faults: string[],
): AdyenSettings {
  const url = env["SIMULATOR_ADYEN_WEBHOOK_URL"] ?? "";
  const key = env["SIMULATOR_ADYEN_HMAC_KEY"] ?? "";
  const hasWebhook = url !== "" || key !== "";
  if (hasWebhook && !URL.canParse(url)) {
    faults.push("SIMULATOR_ADYEN_WEBHOOK_URL must be a URL (set with SIMULATOR_ADYEN_HMAC_KEY)");
  }
  if (hasWebhook && !/^[0-9A-Fa-f]{64}$/.test(key)) {
    faults.push("SIMULATOR_ADYEN_HMAC_KEY must be 64 hexadecimal digits");
  }
  return {
    api_key: env["SIMULATOR_ADYEN_API_KEY"] ?? DEFAULT_ADYEN.api_key,
    merchant_account: env["SIMULATOR_ADYEN_MERCHANT_ACCOUNT"] ?? DEFAULT_ADYEN.merchant_account,
    webhook: hasWebhook ? { url, hmac_key: key } : null,
  };
}
