import { describe, expect, test } from "vitest";
import { adyen, eu, faultsOf, withAccounts } from "../../test/support/settings.ts";
import { loadConfig } from "./config.ts";

describe("several PSPs", () => {
  const withRules = (...rules: unknown[]): Record<string, string> => ({
    ...withAccounts(eu, adyen),
    PSP_ROUTING: JSON.stringify(rules),
  });

  test("rules are read with amounts as exact integers; weight is 1 where none is given", () => {
    const when = {
      currencies: ["EUR", "CHF"],
      amount_minor_min: "9007199254740993",
      amount_minor_max: "9007199254740993",
      card_countries: ["DE"],
    };
    const { routing } = loadConfig(
      "development",
      withRules(
        {
          when,
          to: [
            { psp: "adyen-1", weight: 9 },
            { psp: "stripe-eu", weight: 0 },
          ],
        },
        { to: [{ psp: "stripe-eu" }] },
      ),
    ).psp;
    expect(routing).toEqual([
      {
        when: { ...when, amount_minor_min: 9_007_199_254_740_993n, amount_minor_max: 9_007_199_254_740_993n },
        to: [
          { psp: "adyen-1", weight: 9 },
          { psp: "stripe-eu", weight: 0 },
        ],
      },
      { when: {}, to: [{ psp: "stripe-eu", weight: 1 }] },
    ]);
  });

  const to = [{ psp: "stripe-eu", weight: 1 }];
  test.each<[string, unknown]>([
    [".to", {}],
    [".to", { to: [] }],
    [".to", { to: "stripe-eu" }],
    [".to[0].psp", { to: [{ psp: "paypal", weight: 1 }] }],
    [".to[0]", { to: ["stripe-eu"] }],
    [".to[0].weight", { to: [{ psp: "stripe-eu", weight: -1 }] }],
    [".to[0].weight", { to: [{ psp: "stripe-eu", weight: 0.5 }] }],
    [".to", { to: [{ psp: "stripe-eu", weight: 0 }] }],
    [".to", { to: [...to, ...to] }],
    [".to[0].share", { to: [{ ...to[0], share: 1 }] }],
    [".when.currencies", { when: { currencies: ["EUR", "XYZ"] }, to }],
    [".when.currencies", { when: { currencies: [] }, to }],
    [".when.currencies", { when: { currencies: "EUR" }, to }],
    [".when.card_countries", { when: { card_countries: ["de"] }, to }],
    [".when.card_countries", { when: { card_countries: ["DE", 7] }, to }],
    [".when.amount_minor_min", { when: { amount_minor_min: 100 }, to }],
    [".when.amount_minor_max", { when: { amount_minor_max: "1.00" }, to }],
    [".when.amount_minor_max", { when: { amount_minor_min: "5", amount_minor_max: "4" }, to }],
    [".when.currency", { when: { currency: "EUR" }, to }],
    [".when", { when: [], to }],
  ])("a rule that is wrong at %s stops the start: %j", (path, rule) => {
    const faults = faultsOf("development", withRules({ to }, rule));
    expect(faults[0]).toContain(`PSP_ROUTING[1]${path}: `);
    expect(faults.every((fault) => fault.startsWith("PSP_ROUTING[1]"))).toBe(true);
  });

  test("rules know the one account of the settings of Stripe by its name", () => {
    expect(faultsOf("development", { PSP_ROUTING: '[{"to": [{"psp": "stripe"}]}]' })).toEqual([]);
    expect(faultsOf("development", { PSP_ROUTING: '[{"to": [{"psp": "stripe-eu"}]}]' })).toEqual([
      expect.stringMatching(/^PSP_ROUTING\[0\]\.to\[0\]\.psp: /),
    ]);
  });
});
