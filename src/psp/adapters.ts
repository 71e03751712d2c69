/**
 * The registry of adapters, and their door for the settings and the composition root. No other file outside
 * an adapter's folder names a PSP.
 */
import type { AccountOfVariables, Adapter, PspAccount } from "./adapter.ts";
import { adyen } from "./adyen/settings.ts";
import { external } from "./external/settings.ts";
import type { Psp } from "./port.ts";
import { stripe, stripeOfVariables } from "./stripe/settings.ts";

export { takesCards } from "./adapter.ts";
export type {
  AccountFields,
  AccountOfVariables,
  Adapter,
  CallLimits,
  CardAccount,
  ExternalAccount,
  PspAccount,
  Variables,
} from "./adapter.ts";
export { readCardAccount, timeoutBounds } from "./card-account.ts";

/** Every adapter. The order is that in which messages name the kinds. */
export const adapters: readonly Adapter[] = [stripe, adyen, external];

export const accountOfVariables: AccountOfVariables = stripeOfVariables;

export function adapterOf(kind: string, all: readonly Adapter[] = adapters): Adapter | undefined {
  return all.find((adapter) => adapter.kind === kind);
}

/** Errors if no adapter has the account's kind, which the settings refuse. */
export function createPsp(account: PspAccount, all: readonly Adapter[] = adapters): Psp {
  const adapter = adapterOf(account.kind, all);
  if (adapter === undefined) throw new Error(`${account.name} is of the unknown kind ${account.kind}`);
  return adapter.create(account);
}
