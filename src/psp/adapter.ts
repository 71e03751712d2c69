/**
 * What the settings and the registry know of an adapter: how it reads an account of its kind and makes a PSP
 * of it.
 */
import type { Psp } from "./port.ts";

type AnyAccount = {
  /** Part of attempts, ledger accounts and webhook URLs, so it must not change. */
  readonly name: string;
  /** Names the adapter. */
  readonly kind: string;
  /** Several while one replaces another. */
  readonly webhook_secrets: readonly string[];
};

/** An account at a PSP that takes cards. Two accounts at one PSP are two. */
export type CardAccount = AnyAccount & {
  readonly secret_key: string;
  /** Undefined: the PSP's own. */
  readonly api_base: URL | undefined;
  readonly timeout_seconds: number;
  readonly calls_at_once_max: number;
};

/** For money collected outside a PSP's API: chosen by each checkout, never by a rule. */
export type ExternalAccount = AnyAccount & {
  /** After how long without a status an order is overdue. */
  readonly overdue_seconds: number;
};

/** What all accounts have in common. What only one adapter needs is known only in its folder. */
export type PspAccount = CardAccount | ExternalAccount;

export const takesCards = (account: PspAccount): account is CardAccount => "secret_key" in account;

export type CallLimits = Pick<CardAccount, "timeout_seconds" | "calls_at_once_max">;

/** Reads an account's object in PSP_ACCOUNTS. A wrong field becomes a fault, and reading goes on. */
export type AccountFields = {
  fault(field: string, what: string): void;
  has(field: string): boolean;
  text(field: string, isRight: (text: string) => boolean, what: string): string;
  number(
    field: string,
    fallback: number,
    bounds: { readonly min: number; readonly max: number; readonly is_integer?: boolean },
  ): number;
  flag(field: string): boolean;
  url(field: string): URL | undefined;
  /** A URL that is required, as it was written. */
  urlText(field: string): string;
  /** The value of the variable that the field names. */
  secret(field: string): string;
  /** The same, of a list with commas. */
  secrets(field: string): readonly string[];
};

/** Reads environment variables, or the files that stand in for them. */
export type Variables = {
  text(name: string, fallback: string): string;
  list(name: string): readonly string[];
  url(name: string): URL | undefined;
};

export type Adapter = {
  readonly kind: string;
  /** The fields that only its accounts have, and what to say where another account has one. */
  readonly own_fields: readonly string[];
  readonly own_fields_are: string;
  /** What to say instead where one of its own accounts has another adapter's field. */
  readonly others_fields_are?: string;
  /** Whether its accounts take cards. */
  readonly takes_cards: boolean;
  read(fields: AccountFields, name: string, limits: CallLimits): PspAccount;
  create(account: PspAccount): Psp;
  /** Whether test cards pay with this key. */
  isTestKey(secret_key: string): boolean;
  /** What precedes the random part of a key or a webhook secret and says what it is. */
  readonly secret_prefix?: RegExp;
  /** Random parts of keys that the PSP's documentation shows to everybody. */
  readonly published_keys?: readonly string[];
  /**
   * Given if the settings and not the key say whether test cards pay: the field that is missing for the live
   * platform.
   */
  readonly missingForLive?: (account: PspAccount) => string | undefined;
  /**
   * Given if a webhook's secret alone shows who sent it, so that no two accounts may share one: a form that
   * is the same for two ways of writing one secret.
   */
  readonly secretAsKey?: (webhook_secret: string) => string;
};

/** An adapter that is called with accounts of its own kind only. */
export function defineAdapter<Account extends PspAccount>({
  create,
  missingForLive,
  ...adapter
}: Omit<Adapter, "read" | "create" | "missingForLive"> & {
  read(fields: AccountFields, name: string, limits: CallLimits): Account;
  readonly create: (account: Account) => Psp;
  readonly missingForLive?: (account: Account) => string | undefined;
}): Adapter {
  // The registry finds the adapter by the kind, and whatever has the kind was read by `read`.
  const isOwn = (account: PspAccount): account is Account => account.kind === adapter.kind;
  return {
    ...adapter,
    missingForLive: (account) => (isOwn(account) ? missingForLive?.(account) : undefined),
    create(account) {
      if (isOwn(account)) return create(account);
      throw new Error(`${account.name} is an account of kind ${account.kind}, not ${adapter.kind}`);
    },
  };
}

/**
 * The account that has its own variables. It is used while no account in PSP_ACCOUNTS takes cards.
 */
export type AccountOfVariables = {
  readonly name: string;
  readonly variables: {
    readonly secret_key: string;
    readonly webhook_secrets: string;
    readonly api_base: string;
  };
  /** The PSP, as a person says it. */
  readonly psp: string;
  /** Keys that need no account at the PSP: only development takes them. */
  readonly development_keys: readonly string[];
  read(read: Variables, limits: CallLimits): CardAccount;
};
