import type { CurrencyCode } from "../money/money.ts";

/** The account's kind; assets and expenses are debit-normal, the others credit-normal. */
export type AccountKind = "asset" | "liability" | "revenue" | "expense" | "equity";

/** Names an account; one that does not exist yet is made by its first posting. */
export type AccountRef = {
  readonly code: string;
  readonly currency: CurrencyCode;
  readonly kind: AccountKind;
  /** The seller it belongs to. */
  readonly owner_id: string | null;
  /** The lowest balance in the account's normal direction, in minor units; null: no limit. */
  readonly floor_minor: bigint | null;
};

const platform =
  (code: string, kind: AccountKind, floor_minor: bigint | null = null) =>
  (currency: CurrencyCode): AccountRef => ({ code, currency, kind, owner_id: null, floor_minor });

const ofPsp =
  (suffix: string, kind: AccountKind, floor_minor: bigint | null = null) =>
  (psp: string, currency: CurrencyCode): AccountRef =>
    platform(`psp:${psp}:${suffix}`, kind, floor_minor)(currency);

const ofSeller =
  (suffix: string, kind: AccountKind) =>
  (seller: string, currency: CurrencyCode): AccountRef => ({
    code: `seller:${seller}:${suffix}`,
    currency,
    kind,
    owner_id: seller,
    floor_minor: 0n,
  });

/** The chart of accounts: every account the platform uses, per currency. */
export const chart = {
  /** What the PSP owes us. */
  pspClearing: ofPsp("clearing", "asset"),
  /**
   * What issuers hold for us and nobody has captured: a memorandum, mirrored by `authorizations`. Never more
   * is captured or released.
   */
  pspAuthorized: ofPsp("authorized", "asset", 0n),
  authorizations: platform("authorizations", "liability", 0n),
  pspFees: ofPsp("fees", "expense"),
  bank: (name: string, currency: CurrencyCode): AccountRef => platform(`bank:${name}`, "asset")(currency),
  /** Earned, not yet released to the seller. */
  sellerPending: ofSeller("pending", "liability"),
  sellerAvailable: ofSeller("available", "liability"),
  sellerReserved: ofSeller("reserved", "liability"),
  /** What a seller owes after refunds and disputes; later earnings pay it first. */
  sellerDebt: ofSeller("debt", "asset"),
  payoutsInTransit: platform("payouts:in_transit", "liability"),
  platformCommission: platform("platform:commission", "revenue"),
  disputes: (name: string, currency: CurrencyCode): AccountRef =>
    platform(`disputes:${name}`, "asset")(currency),
  losses: platform("losses", "expense"),
  /** Money not yet explained. */
  suspense: platform("suspense", "liability"),
  fx: (name: string, currency: CurrencyCode): AccountRef => platform(`fx:${name}`, "equity")(currency),
};
