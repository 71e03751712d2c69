import fc from "fast-check";
import { expect, test } from "vitest";
import { cardDataIn } from "./card-data.ts";

const numbers = [
  "4242424242424242",
  "4000056655665556",
  "5555555555554444",
  "2223003122003222",
  "5105105105105100",
  "378282246310005",
  "371449635398431",
  "6011111111111117",
  "6011000990139424",
  "3056930009020004",
  "36227206271667",
  "30569309025904",
  "3566002020360505",
  "6200000000000005",
  "6205500000000000004",
  "6304000000000000",
  "6759649826438453",
  "5018000000000009",
  "2200000000000053",
  "6069320000000005",
  "8600000000000008",
] as const;

/** With a last digit that fits: some of the numbers above are only the prefixes of their schemes. */
function withCheckDigit(number: string): string {
  const digits = number.slice(0, -1);
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]) * (i % 2 === 0 ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return digits + String((10 - (sum % 10)) % 10);
}

const pan = fc.constantFrom(...numbers).map(withCheckDigit);
const separators = [
  " ",
  "-",
  ".",
  "/",
  ",",
  "_",
  "|",
  "\u00a0",
  "\u2007",
  "\u202f",
  "\u2009",
  "\u3000",
  "–",
  "—",
  "·",
  "•",
  ":",
  ";",
  "*",
  "~",
  " - ",
  ", ",
  "\u200b ",
  "/ /",
  "、",
  "💳",
  "%20",
  "%2D",
  "%252f",
  "%C2%A0",
  "%E2%80%93",
  "%u2007",
  "&nbsp;",
  "&#160;",
  "&#x2009;",
  "&ndash;",
  "&amp;nbsp;",
  "\\n",
  "\\u00a0",
];
const separator = fc.constantFrom(...separators);

/** In the ways a scheme prints it, digit by digit, in pairs, or cut anywhere. */
const grouped = (number: string, lengths: readonly number[], between: readonly string[]): string => {
  let text = "";
  let at = 0;
  for (let group = 0; at < number.length; group++) {
    text +=
      (at === 0 ? "" : (between[group % between.length] ?? "")) +
      number.slice(at, at + (lengths[group % lengths.length] ?? 4));
    at += lengths[group % lengths.length] ?? 4;
  }
  return text;
};
const scripts = [
  ...["０", "٠", "۰", "०", "\u{1d7ce}", "\u{1d7d8}", "⓪①", "⓿❶", "\u{1f10b}➀", "\u{1f10c}➊", "⓪⓵"],
  ...[
    "\u17f0",
    "\u{16e80}",
    "\u{1d2e0}",
    "〇〡",
    "\ua6ef\ua6e6",
    "0፩",
    "0\u{10107}",
    "0\u{102e1}",
    "0\u{109c0}",
  ],
  ...["0\u{10e60}", "0\u{11052}", "0\u{111e1}", "0\u{11c5a}", "0\u{12415}", "0\u{1d360}", "0\u{1d369}"],
  ...["0\u{1e8c7}", "0\u{1ec71}", "0\u{1eca3}", "0\u{1ed01}"],
];
/** By the script's zero, and its one where that does not follow; a script without a zero borrows ours. */
const inScript = (text: string, script: string): string =>
  text.replaceAll(/\d/g, (digit) => {
    const [zero = "", one] = Array.from(script);
    const value = Number(digit);
    return one === undefined || value === 0
      ? String.fromCodePoint((zero.codePointAt(0) ?? 0) + value)
      : String.fromCodePoint((one.codePointAt(0) ?? 0) + value - 1);
  });

const variant = fc
  .tuple(
    pan,
    fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }),
    fc.array(separator, { minLength: 1, maxLength: 6 }),
    fc.constantFrom("0", ...scripts),
  )
  .map(([number, lengths, between, zero]) => inScript(grouped(number, lengths, between), zero));
const around = fc.constantFrom("", "card", "tok_", "x", "é", "№ ", "(", "pan:", "日本", " — ");

test("a test number of every scheme is found however its digits are grouped, separated, written and surrounded", () => {
  fc.assert(
    fc.property(variant, around, around, (text, before, after) => {
      expect([text, cardDataIn(before + text + after)]).toEqual([text, "a card number"]);
    }),
    { numRuns: 20_000 },
  );
});

test("a sign that is repeated between groups of digits separates them no more than a single one does", () => {
  for (const signs of ["    ", "....", " -- ", "------------", " ".repeat(500)]) {
    expect(cardDataIn(["4242", "4242", "4242", "4242"].join(signs)), signs).toBe("a card number");
  }
  expect(cardDataIn("4242 (a) 4242 (b) 4242 (c) 4242")).toBeUndefined();
  expect(cardDataIn("4242 -/- 4242 /-/ 4242 -/- 4242")).toBeUndefined();
});

/** Every group as printed, with one separator between all. */
const printed = fc
  .tuple(
    pan.filter((number) => [14, 15, 16].includes(number.length)),
    fc.constantFrom("", "order 12, ", "exp 12/29 ", "é"),
  )
  .map(([number, before]) => ({
    before,
    groups: number.length === 16 ? [4, 4, 4, 4] : [4, 6, number.length - 10],
    number,
  }));

test("up to twenty signs separate the groups of a number, if they are the same between all", () => {
  const signs = fc.stringMatching(/^[ ./(){}|+*#:;,_<>-]{4,20}$/);
  fc.assert(
    fc.property(printed, signs, ({ before, groups, number }, between) => {
      const text = `${before}${grouped(number, groups, [between])}`;
      expect([text, cardDataIn(text)]).toEqual([text, "a card number"]);
    }),
    { numRuns: 5_000 },
  );
});

test("one letter separates the groups of a printed number, if it is the same between all", () => {
  fc.assert(
    fc.property(printed, fc.stringMatching(/^ ?[a-zA-Z] ?$/), ({ before, groups, number }, between) => {
      const text = `${before}${grouped(number, groups, [between])}`;
      expect([text, cardDataIn(text)]).toEqual([text, "a card number"]);
    }),
    { numRuns: 5_000 },
  );
  expect(cardDataIn("6205a5000a0000a0000a004")).toBe("a card number");
  expect(cardDataIn("4242a4242b4242a4242")).toBeUndefined();
});

test("twelve or more Chinese digits in a row are a number, fewer are words that hide none beside them", () => {
  expect(cardDataIn("卡号四二四二 四二四二 四二四二 四二四二")).toBe("a card number");
  expect(cardDataIn("五〇〇〇〇五零零零零零零零零零九")).toBeUndefined();
  expect(cardDataIn("第一4242424242424242二")).toBe("a card number");
});

test("characters that cannot be seen do not hide a number", () => {
  const unseen = ["\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff", "\ufe0f\u20e3", "\u0301", "\u{e0020}"];
  fc.assert(
    fc.property(
      pan,
      fc.array(fc.constantFrom(...unseen), { minLength: 1, maxLength: 8 }),
      (number, signs) => {
        const text = Array.from(
          number,
          (digit, at) => digit + (signs[at % signs.length] ?? "").repeat(at % 3),
        ).join("");
        expect(cardDataIn(text)).toBe("a card number");
      },
    ),
  );
});

test.each([
  "%B4242424242424242^DOE/JANE^25121010000000000000?",
  "B4242424242424242^DOE/JANE^2512",
  ";4242424242424242=25121010000012300000?",
  "4242424242424242=2512101",
  "4242424242424242D2512101",
  "%B9999999999999^PRIVATE/LABEL^25121010000?",
  ";9999999999999999=25121010?",
  "4242 4242 4242 4242 12/29 123",
  "exp 12/29 4242-4242-4242-4242",
  "12/29 4242 4242 4242 4242",
  "4242424242424242@example.com",
  "4242.4242.4242.4242@example.com",
  "a4242424242424242b",
  "https://x.example/?n=4242424242424242",
  "+4242424242424242",
  "+378282246310005",
  "tel 4242 4242 4242 4242, 5555 5555 5555 4444",
  "3782 822463 10005",
  "3056 930902 5904",
  "4242４２４２4242４２４２",
  "①4242424242424241 4242424242424242",
  "4242x4242x4242x4242",
  "4242 X 4242 X 4242 X 4242",
  "4242の4242の4242の4242",
  "+30569309025904",
  "+36 2272 0627 1667",
  "https://x.example/?c=4242%204242%204242%204242",
  "https://x.example/?c=4242%2D4242%2D4242%2D4242",
  "https://x.example/4242%2f4242%2f4242%2f4242",
  "https://x.example/?c=%34%32%34%32%34%32%34%32%34%32%34%32%34%32%34%32",
  "https://x.example/?c=%EF%BC%94242424242424242",
  "?b=%3Fc%3D4242%25204242%25204242%25204242",
  "100%4242424242424242",
  "https://x.example/?c=%4012888888881881",
  "100%254242424242424242",
  "%3B4242424242424242%3D2512101",
  "3782x822463x10005",
  "3056y930902y5904",
  "4242y4242y4242y4242",
  "4242 -/. 4242 -/. 4242 -/. 4242",
  "4242&nbsp;4242&nbsp;4242&nbsp;4242",
  "4242&nbsp4242&nbsp4242&nbsp4242",
  "&#52;&#x32;42 4242 4242 4242",
  "4242\\n4242\\n4242\\n4242",
  "\\u0034\\u0032\\x34\\x32 4242 4242 4242",
  "፬፪፬፪፬፪፬፪፬፪፬፪፬፪፬፪",
])("card data is found in %j", (text) => {
  expect(cardDataIn(text)).toMatch(/^(a card number|the data of a card's magnetic stripe)$/);
});
