import { cardDataIn, isVerificationCodeName } from "./inspection/card-data.ts";
import { withoutSecrets } from "./secrets-in-text.ts";

/** What happens to a member of a webhook's body because of its name; `walk`: what its values deserve. */
export type Rule = "walk" | "remove_name" | "remove_value" | "remove_address" | "keep_kind";

/** Events have the same names again and again. */
const knownRules = new Map<string, Rule>();
const known_rules_max = 5_000;

export function ruleFor(name: string): Rule {
  const known = knownRules.get(name);
  if (known !== undefined) return known;
  const rule = ruleOf(name);
  if (knownRules.size < known_rules_max && name.length <= 60) knownRules.set(name, rule);
  return rule;
}

function ruleOf(name: string): Rule {
  if (cardDataIn(name) !== undefined || withoutSecrets(name) !== name) return "remove_name";
  if (name === "next_action") return "keep_kind";
  if (/secret$/i.test(name) || isVerificationCodeName(name)) return "remove_value";
  return /^(?:url|redirect_?url|hosted_?\w*url)$/i.test(name) ? "remove_address" : "walk";
}
