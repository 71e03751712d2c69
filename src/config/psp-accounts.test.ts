import { expect, test } from "vitest";
import { pretend } from "../../test/support/pretend-psp.ts";
import { adyen, eu, secrets } from "../../test/support/settings.ts";
import { adapters, createPsp } from "../psp/adapters.ts";
import { pspAccounts, type PspAccounts } from "./psp-accounts.ts";
import { SettingsReader } from "./settings-reader.ts";

const all = [...adapters, pretend];
const account = { name: "new", kind: "pretend", secret_key_env: "STRIPE_EU_KEY", branch: "NORTH" };

function read(accounts: readonly unknown[]): { readonly faults: string[]; readonly psp: PspAccounts } {
  const reader = new SettingsReader({ ...secrets, PSP_ACCOUNTS: JSON.stringify(accounts) });
  return { psp: pspAccounts(reader, 8, all), faults: reader.faults };
}

test("an adapter that the registry lists is one for the settings and for calls, with nothing else changed", () => {
  const { psp, faults } = read([account, adyen]);
  expect(faults).toEqual([]);
  expect(psp.accounts).toMatchObject([
    {
      name: "new",
      kind: "pretend",
      branch: "NORTH",
      secret_key: secrets.STRIPE_EU_KEY,
      calls_at_once_max: 10,
    },
    { name: "adyen-1", kind: "adyen" },
  ]);
  expect(psp.accounts.map((made) => createPsp(made, all).name)).toEqual(["new-NORTH", "adyen-1"]);
});

test("faults name the fields of each adapter, and whose they are", () => {
  expect(read([{ ...account, branch: "north" }]).faults).toEqual([
    "PSP_ACCOUNTS[0].branch: is not a branch in capital letters",
  ]);
  expect(read([{ ...eu, branch: "NORTH" }]).faults).toEqual(["PSP_ACCOUNTS[0].branch: is for Pretend only"]);
  expect(read([{ ...account, merchant_account: "Shop" }]).faults).toEqual([
    "PSP_ACCOUNTS[0].merchant_account: is for Adyen only",
  ]);
  expect(read([{ ...eu, kind: "paypal" }]).faults).toEqual([
    "PSP_ACCOUNTS[0].kind: is not stripe, adyen, external or pretend",
  ]);
  const cash = { name: "cash", kind: "external", webhook_secrets_env: "STRIPE_EU_KEY" };
  expect(read([{ ...cash, branch: "NORTH" }]).faults).toContain(
    "PSP_ACCOUNTS[0].branch: is not for an external account",
  );
});

test("an account of a kind without an adapter becomes no PSP, nor does one that another adapter read", () => {
  const [made] = read([account]).psp.accounts;
  expect(() => createPsp(made)).toThrow("new is of the unknown kind pretend");
  expect(() => adapters[0]?.create(made)).toThrow("new is an account of kind pretend, not stripe");
});
