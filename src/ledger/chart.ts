import type { CurrencyCode } from "../money/money.ts";

/** The account's kind; assets and expenses are debit-normal, the others credit-normal. */
export type AccountKind = "asset" | "liability" | "revenue" | "expense" | "equity";

/** What an account is for; `other`: it is outside of this chart. */
export type AccountRole =
  | "psp_clearing"
  | "psp_authorized"
  | "authorizations"
  | "psp_fees"
  | "bank"
  | "seller_pending"
  | "seller_available"
  | "seller_reserved"
  | "seller_debt"
  | "payouts_in_transit"
  | "platform_commission"
  | "disputes"
  | "losses"
  | "suspense"
  | "fx"
  | "other";

/** Names an account; one that does not exist yet is made by its first posting. */
export type AccountRef = {
  readonly code: string;
  readonly currency: CurrencyCode;
  readonly kind: AccountKind;
  readonly role: AccountRole;
  /** The seller it belongs to. */
  readonly owner_id: string | null;
  /** The lowest balance in the account's normal direction, in minor units; null: no limit. */
  readonly floor_minor: bigint | null;
};

const platform =
  (code: string, role: AccountRole, kind: AccountKind, floor_minor: bigint | null = null) =>
  (currency: CurrencyCode): AccountRef => ({ code, currency, kind, role, owner_id: null, floor_minor });

const ofPsp =
  (suffix: string, role: AccountRole, kind: AccountKind, floor_minor: bigint | null = null) =>
  (psp: string, currency: CurrencyCode): AccountRef =>
    platform(`psp:${psp}:${suffix}`, role, kind, floor_minor)(currency);

const ofSeller =
  (suffix: string, role: AccountRole, kind: AccountKind) =>
  (seller: string, currency: CurrencyCode): AccountRef => ({
    code: `seller:${seller}:${suffix}`,
    currency,
    kind,
    role,
    owner_id: seller,
    floor_minor: 0n,
  });

const named =
  (prefix: string, role: AccountRole, kind: AccountKind) =>
  (name: string, currency: CurrencyCode): AccountRef =>
    platform(`${prefix}:${name}`, role, kind)(currency);

/** The chart of accounts: every account the platform uses, per currency. */
export const chart = {
  /** What the PSP owes us. */
  pspClearing: ofPsp("clearing", "psp_clearing", "asset"),
  /**
   * What issuers hold for us and nobody has captured: a memorandum, mirrored by `authorizations`. Never more
   * is captured or released.
   */
  pspAuthorized: ofPsp("authorized", "psp_authorized", "asset", 0n),
  authorizations: platform("authorizations", "authorizations", "liability", 0n),
  pspFees: ofPsp("fees", "psp_fees", "expense"),
  bank: named("bank", "bank", "asset"),
  /** Earned, not yet released to the seller. */
  sellerPending: ofSeller("pending", "seller_pending", "liability"),
  sellerAvailable: ofSeller("available", "seller_available", "liability"),
  sellerReserved: ofSeller("reserved", "seller_reserved", "liability"),
  /** What a seller owes after refunds and disputes; later earnings pay it first. */
  sellerDebt: ofSeller("debt", "seller_debt", "asset"),
  payoutsInTransit: platform("payouts:in_transit", "payouts_in_transit", "liability"),
  platformCommission: platform("platform:commission", "platform_commission", "revenue"),
  disputes: named("disputes", "disputes", "asset"),
  losses: platform("losses", "losses", "expense"),
  /** Money not yet explained. */
  suspense: platform("suspense", "suspense", "liability"),
  fx: named("fx", "fx", "equity"),
};
