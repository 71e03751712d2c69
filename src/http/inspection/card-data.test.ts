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
const scripts = ["０", "٠", "۰", "०", "\u{1d7ce}", "\u{1d7d8}", "⓪①", "⓿❶", "\u{1f10b}➀", "\u{1f10c}➊", "⓪⓵"];
/** By the script's zero, and its one where that does not follow. */
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
  expect(cardDataIn("4242 -/- 4242 -/- 4242 -/- 4242")).toBeUndefined();
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
])("card data is found in %j", (text) => {
  expect(cardDataIn(text)).toMatch(/^(a card number|the data of a card's magnetic stripe)$/);
});

test("a megabyte of any kind is looked through in tens of milliseconds: the time grows with the length", () => {
  const pieces = [
    "4 ",
    "44-",
    "4",
    "4242424242424241 ",
    "４",
    "a\u0301\u0316",
    "2026-11-22 30:07:08 ",
    "+4 ",
    "DE89 ",
    "%B424242424242^",
    "cvv   1",
    "42-42424-2424242-2 ",
    "4242x",
    "4242 x ",
    "cvv no is ",
    "❹",
    "48b87578-5160-4440-8301-007444514ecc ",
  ];
  cardDataIn("4 4 4 4 4 4 4 4 4 4 4 4 4");
  for (const piece of pieces) {
    const text = piece.repeat(Math.ceil(1_000_000 / piece.length));
    const { user } = process.cpuUsage();
    cardDataIn(text);
    // Of the processor alone, as tests run beside others; before, some took 300 ms, and more than twice as
    // long for twice the text.
    expect([piece, (process.cpuUsage().user - user) / 1_000 < 150]).toEqual([piece, true]);
  }
});
