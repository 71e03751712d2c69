import fc from "fast-check";
import { expect, test } from "vitest";
import { isSurelyHarmless } from "./harmless-json.ts";
import { cardDataIn, isVerificationCodeName } from "./inspection/card-data.ts";
import { withoutSensitiveData } from "./sensitive-data.ts";

const name = fc.oneof(
  fc.constantFrom(
    "id",
    "data",
    "object",
    "amount",
    "note",
    "url",
    "hosted_url",
    "next_action",
    "client_secret",
  ),
  fc.constantFrom(
    "pin",
    "cvc",
    "security_code",
    "secret",
    "reference",
    "4242424242424242",
    "metadata",
    "__proto__",
  ),
);
const piece = fc.constantFrom(
  "4242",
  "424242",
  "cvv",
  "123",
  "",
  " ",
  "-",
  "x",
  "%20",
  "&nbsp;",
  "\n",
  '"',
  "\\",
  "é",
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
  fc.constantFrom(
    "4242424242424242",
    "pi_1_secret_2",
    "https://checkout.stripe.com/c/x",
    "[removed]",
    "type",
  ),
  fc.constantFrom(null, true, 0, 1999, 1764227304, 4242424242424242, 4242, 0.5, 4.2e15, -1, 4242424242424),
);
const blanks = fc.constantFrom("", "", " ", "\n  ", "\t");

/** JSON as others write it: with blanks, escapes, exponents, and names that stand twice. */
const json: fc.Arbitrary<string> = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.tuple(value, fc.boolean()).map(([of, isEscaped]) => (isEscaped ? escaped(of) : JSON.stringify(of))),
    fc.constantFrom(
      "4242e12",
      "42424242424242.42e2",
      "6205500000000000004",
      "[4242,4242, 4242,4242]",
      "1e2",
      "-0",
    ),
    fc
      .tuple(blanks, fc.array(tie("tree"), { maxLength: 5 }))
      .map(([gap, items]) => `[${gap}${items.join(`,${gap}`)}]`),
    fc
      .tuple(blanks, fc.array(fc.tuple(name, tie("tree"), fc.boolean()), { maxLength: 6 }))
      .map(([gap, members]) => {
        const written = members.map(
          ([of, member, isEscaped]) =>
            `${isEscaped ? escaped(of) : JSON.stringify(of)}${gap}:${gap}${member}`,
        );
        return `{${gap}${written.join(`${gap},${gap}`)}${gap}}`;
      }),
  ),
})).tree;

/** Each third character by its code. */
function escaped(of: unknown): string {
  if (typeof of !== "string") return JSON.stringify(of);
  const characters = Array.from(of, (character, at) =>
    at % 3 === 0 && character.length === 1
      ? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
      : JSON.stringify(character).slice(1, -1),
  );
  return `"${characters.join("")}"`;
}

test("the quick look never lets a body pass that the search in its parsed names and values would change", () => {
  let harmless = 0;
  fc.assert(
    fc.property(json, blanks, (text, before) => {
      const body = before + text;
      if (!isSurelyHarmless(body)) return;
      harmless += 1;
      // A backslash makes the quick look give up. What the parser drops is the other test's.
      const whole = `{"all":${body},"last":"\\n"}`;
      const thorough: unknown = JSON.parse(withoutSensitiveData(whole));
      expect([body, JSON.stringify(thorough)]).toEqual([body, JSON.stringify(JSON.parse(whole))]);
    }),
    { numRuns: 20_000 },
  );
  expect(harmless).toBeGreaterThan(1_000);
});

test("nothing that is stored holds card data or a secret, also where a name stands twice", () => {
  fc.assert(
    fc.property(json, (text) => {
      const stored = withoutSensitiveData(`{"all":${text}}`);
      expect(withoutSensitiveData(stored)).toBe(stored);
      for (const [token] of stored.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g)) {
        const found = cardDataIn(String(JSON.parse(token)));
        expect([text, stored, token, found]).toEqual([text, stored, token, undefined]);
      }
      expect(stored).not.toMatch(/pi_1_secret|checkout\.stripe/);
      JSON.parse(stored, (member, kept: unknown) => {
        if (isVerificationCodeName(member)) expect([null, true, "[removed]"]).toContain(kept);
        return kept;
      });
    }),
    { numRuns: 20_000 },
  );
});
