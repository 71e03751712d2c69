import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toCurrencyCode } from "../money/money.ts";
import { preferredPsps, type RoutingFacts, type RoutingRule, type RoutingTarget } from "./routing-rules.ts";

const facts = (changes: Partial<RoutingFacts> = {}): RoutingFacts => ({
  payment_order_id: "order-1",
  money: { amount_minor: 5_000n, currency: toCurrencyCode("EUR") },
  card_country: "DE",
  ...changes,
});
const only = (psp: string): RoutingTarget[] => [{ psp, weight: 1 }];
const rule = (when: RoutingRule["when"], ...to: RoutingTarget[]): RoutingRule => ({ when, to });

describe("a rule fits an order", () => {
  const euros = (amount_minor: bigint): Partial<RoutingFacts> => ({
    money: { amount_minor, currency: toCurrencyCode("EUR") },
  });
  test.each<[string, RoutingRule["when"], Partial<RoutingFacts>, boolean]>([
    ["without a condition: always", {}, { card_country: null }, true],
    ["by currency", { currencies: ["USD", "EUR"] }, {}, true],
    ["not in another currency", { currencies: ["USD", "JPY"] }, {}, false],
    ["from the least amount on", { amount_minor_min: 5_000n }, {}, true],
    ["not below it", { amount_minor_min: 5_000n }, euros(4_999n), false],
    ["up to the greatest amount", { amount_minor_max: 5_000n }, {}, true],
    ["not above it", { amount_minor_max: 5_000n }, euros(5_001n), false],
    ["by amounts that no double holds", { amount_minor_min: 2n ** 53n + 1n }, euros(2n ** 53n), false],
    ["by the card's country", { card_countries: ["AT", "DE"] }, {}, true],
    ["not with a card of another country", { card_countries: ["AT"] }, {}, false],
    [
      "not when the card's country is asked for and not known",
      { card_countries: ["DE"] },
      { card_country: null },
      false,
    ],
    ["only if all its conditions hold", { currencies: ["EUR"], amount_minor_max: 100n }, {}, false],
  ])("%s", (_, when, changes, isFitting) => {
    expect(preferredPsps([rule(when, ...only("a"))], facts(changes))).toEqual(isFitting ? ["a"] : []);
  });
});

test("the first rule that fits decides; the PSPs of later rules that fit follow it, each once", () => {
  const rules = [
    rule({ currencies: ["USD"] }, ...only("dollars")),
    rule({ currencies: ["EUR"] }, ...only("euros")),
    rule({ amount_minor_min: 1_000n }, ...only("large"), { psp: "euros", weight: 0 }),
    rule({}, ...only("others"), { psp: "large", weight: 0 }),
  ];
  expect(preferredPsps(rules, facts())).toEqual(["euros", "large", "others"]);
  expect(
    preferredPsps(rules, facts({ money: { amount_minor: 1n, currency: toCurrencyCode("USD") } })),
  ).toEqual(["dollars", "others", "large"]);
});

test("a PSP without weight gets no order of its own and stands in for the others, in the order of the rule", () => {
  const rules = [
    rule({}, { psp: "spare", weight: 0 }, { psp: "a", weight: 1 }, { psp: "second-spare", weight: 0 }),
  ];
  fc.assert(
    fc.property(fc.string(), (payment_order_id) => {
      expect(preferredPsps(rules, facts({ payment_order_id }))).toEqual(["a", "spare", "second-spare"]);
    }),
  );
});

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 5 });
const targets = names.chain((psps) =>
  fc.tuple(
    ...psps.map((psp) => fc.record({ psp: fc.constant(psp), weight: fc.integer({ min: 1, max: 20 }) })),
  ),
);

test("the same order goes the same way however the PSPs of a rule are listed, and without one of them the others keep their order", () => {
  fc.assert(
    fc.property(targets, fc.string(), (to, payment_order_id) => {
      const order = facts({ payment_order_id });
      const preferred = preferredPsps([rule({}, ...to)], order);
      expect(preferred.toSorted()).toEqual(to.map(({ psp }) => psp).toSorted());
      expect(preferredPsps([rule({}, ...to.toReversed())], order)).toEqual(preferred);
      const [gone, ...others] = preferred;
      expect(preferredPsps([rule({}, ...to.filter(({ psp }) => psp !== gone))], order)).toEqual(others);
    }),
  );
});

/** How many of the orders prefer this PSP at first. */
function countFirst(to: readonly RoutingTarget[], prefix: string, orders: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let number = 1; number <= orders; number += 1) {
    const [first = ""] = preferredPsps([rule({}, ...to)], facts({ payment_order_id: `${prefix}-${number}` }));
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return counts;
}

test("over many orders each PSP gets its share by weight, whatever their ids look like", () => {
  fc.assert(
    fc.property(targets, fc.string(), (to, prefix) => {
      const orders = 2_000;
      const counts = countFirst(to, prefix, orders);
      const sum = to.reduce((total, { weight }) => total + weight, 0);
      for (const { psp, weight } of to) {
        const share = weight / sum;
        // Six standard deviations of drawing lots: once in some hundred million.
        const deviation_max = 6 * Math.sqrt(orders * share * (1 - share));
        expect(Math.abs((counts.get(psp) ?? 0) - orders * share)).toBeLessThanOrEqual(deviation_max);
      }
    }),
    { numRuns: 25 },
  );
});

test("an order goes the same way in every process and version", () => {
  const rules = [rule({}, { psp: "stripe-eu", weight: 3 }, { psp: "stripe-us", weight: 1 })];
  const first = Array.from({ length: 12 }, (_, index) =>
    preferredPsps(rules, facts({ payment_order_id: `order-${index}` }))[0]?.slice(-2),
  ).join(" ");
  expect(first).toBe("eu eu eu us us us eu us eu us eu eu");
});
