/** Which account takes which orders: PSP_ROUTING. */
import { isCurrencyCode } from "../money/money.ts";
import type { SettingsReader } from "./settings-reader.ts";

/** As `psp/routing-rules.ts` explains it. */
export type RoutingRule = {
  readonly when: {
    readonly currencies: readonly string[] | undefined;
    readonly amount_minor_min: bigint | undefined;
    readonly amount_minor_max: bigint | undefined;
    readonly card_countries: readonly string[] | undefined;
  };
  readonly to: readonly { readonly psp: string; readonly weight: number }[];
};

export function routingRules(read: SettingsReader, psps: ReadonlySet<string>): readonly RoutingRule[] {
  return (read.objects("PSP_ROUTING", ["when", "to"]) ?? []).map((fields): RoutingRule => {
    const conditions = fields.object("when", [
      "currencies",
      "amount_minor_min",
      "amount_minor_max",
      "card_countries",
    ]);
    const when = {
      currencies: conditions.texts("currencies", isCurrencyCode, "currencies, like EUR"),
      amount_minor_min: conditions.amount("amount_minor_min"),
      amount_minor_max: conditions.amount("amount_minor_max"),
      card_countries: conditions.texts(
        "card_countries",
        (text) => /^[A-Z]{2}$/.test(text),
        "countries of two capital letters, like DE",
      ),
    };
    const { amount_minor_min = 0n, amount_minor_max = amount_minor_min } = when;
    if (amount_minor_min > amount_minor_max)
      conditions.fault("amount_minor_max", "is below amount_minor_min");
    const to = fields
      .objects("to", ["psp", "weight"])
      .map((target) => ({
        psp: target.text("psp", (text) => psps.has(text), "the name of an account that takes cards"),
        weight: target.number("weight", 1, { min: 0, max: 10_000 }),
      }));
    if (to.length > 0 && to.every(({ weight }) => weight === 0)) fields.fault("to", "has no weight above 0");
    if (new Set(to.map(({ psp }) => psp)).size < to.length) fields.fault("to", "names an account twice");
    return { when, to };
  });
}
