import { hash } from "node:crypto";
import type { Money } from "../money/money.ts";

/** What the rules look at. */
export type RoutingFacts = {
  readonly payment_order_id: string;
  readonly money: Money;
  /** ISO 3166-1 alpha-2; null: not known. */
  readonly card_country: string | null;
};

/**
 * What must hold for an order; a condition that is left out always holds. Amounts are in the order's own
 * minor unit, bounds included.
 */
export type RoutingCondition = {
  readonly currencies?: readonly string[] | undefined;
  readonly amount_minor_min?: bigint | undefined;
  readonly amount_minor_max?: bigint | undefined;
  /** A card whose country is not known is in none of them. */
  readonly card_countries?: readonly string[] | undefined;
};

/** A PSP with its share among those of its rule; one with weight 0 is only a fallback. */
export type RoutingTarget = { readonly psp: string; readonly weight: number };

export type RoutingRule = { readonly when: RoutingCondition; readonly to: readonly RoutingTarget[] };

/**
 * The PSPs that the rules allow for an order, best first: those of the first rule that fits by its weights,
 * then those of later rules that fit too. The same order always gets the same list. Empty: no rule fits.
 */
export function preferredPsps(rules: readonly RoutingRule[], facts: RoutingFacts): readonly string[] {
  const fitting = rules.filter((rule) => fits(rule.when, facts));
  return [...new Set(fitting.flatMap((rule) => byWeight(rule.to, facts.payment_order_id)))];
}

function fits(when: RoutingCondition, { money, card_country }: RoutingFacts): boolean {
  const { currencies, amount_minor_min, amount_minor_max, card_countries } = when;
  return (
    (currencies === undefined || currencies.includes(money.currency)) &&
    (amount_minor_min === undefined || money.amount_minor >= amount_minor_min) &&
    (amount_minor_max === undefined || money.amount_minor <= amount_minor_max) &&
    (card_countries === undefined || (card_country !== null && card_countries.includes(card_country)))
  );
}

/**
 * Weighted rendezvous hashing: each PSP draws an exponential waiting time from the order's id, and the
 * shortest wins with a chance of weight / sum of weights. Leaving one PSP out spreads only its own orders, by
 * the weights of the others. (Schindelhauer and Schomaker, Weighted Distributed Hash Tables, SPAA 2005.)
 */
function byWeight(to: readonly RoutingTarget[], payment_order_id: string): string[] {
  const fallbacks = to.filter(({ weight }) => weight === 0).map(({ psp }) => psp);
  const sharing = to
    .filter(({ weight }) => weight > 0)
    .map(({ psp, weight }) => ({ psp, wait: -Math.log(drawOf(payment_order_id, psp)) / weight }))
    .toSorted((one, other) => one.wait - other.wait);
  return [...sharing.map(({ psp }) => psp), ...fallbacks];
}

/** Evenly spread over the open interval from 0 to 1. */
function drawOf(payment_order_id: string, psp: string): number {
  const digest = hash("sha256", `${psp} ${payment_order_id}`, "buffer");
  return (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48;
}
