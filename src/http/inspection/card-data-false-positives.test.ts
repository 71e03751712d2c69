import fc from "fast-check";
import { expect, test } from "vitest";
import { cardDataIn } from "./card-data.ts";
import { isIban } from "./exempt-forms.ts";

const digits = (length: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`));
const ibanOf = fc
  .tuple(
    fc.constantFrom("DE22", "GB22", "FR27", "NL18", "ES24", "AT20", "PL28", "MT31"),
    fc.stringMatching(/^[A-Z]{4}[0-9]{30}$/),
  )
  .map(([country, letters]) => {
    const body = (
      country.slice(0, 2) === "GB" || country.slice(0, 2) === "NL" || country.slice(0, 2) === "MT"
        ? letters
        : letters.slice(4)
    )
      .padEnd(40, "4")
      .slice(0, Number(country.slice(2)) - 4);
    for (let check = 2; check <= 98; check++) {
      const iban = `${country.slice(0, 2)}${String(check).padStart(2, "0")}${body}`;
      if (isIban(iban)) return iban;
    }
    throw new Error("an IBAN without check digits that fit");
  });
const instant = fc
  .date({ min: new Date("1900-01-01"), max: new Date("2100-01-01"), noInvalidDate: true })
  .map((date) => date.toISOString());
const ulid = fc.stringMatching(/^[0-9a-hjkmnp-tv-z]{26}$/);

/** Numbers that other systems make; none of them is ever a card number. */
const passing: readonly (readonly [string, fc.Arbitrary<string>])[] = [
  ["order numbers of 20 digits", digits(20)],
  ["order numbers of 24 digits", digits(24)],
  ["order numbers of up to 11 digits", fc.stringMatching(/^[0-9]{1,11}$/)],
  [
    "dated order numbers",
    fc
      .tuple(fc.constantFrom("ORD-20261127-", "2026-11-", "INV/2026/"), digits(8))
      .map((parts) => parts.join("")),
  ],
  ["IBANs", ibanOf],
  ["IBANs in fours", ibanOf.map((iban) => iban.replaceAll(/(.{4})(?=.)/g, "$1 "))],
  ["IBANs in a sentence", ibanOf.map((iban) => `To ${iban}, please`)],
  ["UUIDs", fc.uuid()],
  ["UUIDs in an id", fc.uuid().map((uuid) => `order:${uuid}:1`)],
  ["UUIDs without hyphens", fc.uuid().map((uuid) => uuid.replaceAll("-", ""))],
  [
    "SHA-256 in hexadecimal",
    fc.stringMatching(/^[0-9a-f]{64}$/).filter((text) => text.replaceAll(/\d/g, "").length >= 8),
  ],
  ["timestamps", instant],
  ["timestamps with microseconds and a zone", instant.map((text) => text.replace("Z", "123+02:00"))],
  ["timestamps with a blank", instant.map((text) => text.replace("T", " "))],
  [
    "milliseconds since 1970",
    fc.integer({ min: 0, max: 3_999_999_999 }).map((seconds) => `${seconds}000`.padStart(13, "1")),
  ],
  [
    "telephone numbers",
    fc
      .tuple(
        fc.constantFrom("+49 ", "+1 (", "+44-", "+86 "),
        digits(3),
        fc.constantFrom(" ", ") ", "-"),
        digits(7),
      )
      .map((parts) => parts.join("")),
  ],
  [
    "German mobile numbers",
    fc
      .tuple(fc.constantFrom("+49", "49", "0049 "), fc.constantFrom("15", "16", "17"), digits(9))
      .map((parts) => parts.join("")),
  ],
  [
    "sizes",
    fc
      .tuple(
        fc.constantFrom("x", " x "),
        fc.array(fc.integer({ min: 1, max: 3_840 }), { minLength: 2, maxLength: 3 }),
      )
      .map(([between, sides]) => sides.join(between)),
  ],
  ["mobile numbers of Italy", fc.stringMatching(/^\+39 3[0-9]{8,10}$/)],
  ["mobile numbers of Indonesia", fc.stringMatching(/^\+62 8[0-9]{2}[- ]?[0-9]{4}[- ]?[0-9]{2,5}$/)],
  [
    "telephone numbers of the USA",
    fc
      .tuple(digits(3), digits(3), digits(4))
      .map(([area, exchange, line]) => `(${area}) ${exchange}-${line}`),
  ],
  ["tracking numbers of USPS", digits(20).map((text) => `94${text}`)],
  [
    "tracking numbers of USPS in fours",
    digits(20).map((text) => `94${text}`.replaceAll(/(\d{4})(?=\d)/g, "$1 ")),
  ],
  ["tracking numbers of UPS", fc.stringMatching(/^1Z[0-9A-Z]{6}[0-9]{10}$/)],
  ["tracking numbers of the post", fc.stringMatching(/^[A-Z]{2}[0-9]{9}[A-Z]{2}$/)],
  [
    "orders of Amazon",
    fc.tuple(fc.constantFrom("302", "113", "026"), digits(7), digits(7)).map((parts) => parts.join("-")),
  ],
  ["ids of ours", ulid.map((text) => `att_${text}`)],
  ["ids of Stripe", fc.stringMatching(/^(pi|pm|ch|cus|tok)_[0-9A-Za-z]{24}$/)],
  ["references of Adyen", fc.stringMatching(/^[A-Z][0-9A-Z]{15}$/)],
];

test.each(passing)("%s pass", (_name, generator) => {
  fc.assert(
    fc.property(generator, (text) => {
      expect([text, cardDataIn(text)]).toEqual([text, undefined]);
    }),
    { numRuns: 3_000 },
  );
});

test.each(passing)("%s pass in a URL and in HTML", (_name, generator) => {
  fc.assert(
    fc.property(generator, (text) => {
      const html = text.replaceAll(" ", "&nbsp;").replaceAll("-", "&#45;");
      for (const written of [`https://x.example/?n=${encodeURIComponent(text)}`, html])
        expect([written, cardDataIn(written)]).toEqual([written, undefined]);
    }),
    { numRuns: 1_000 },
  );
});

test.each(["+4926131532089", "+49 36857657309", "+6304933929184"])(
  "the telephone number %s passes with its plus sign only",
  (text) => {
    expect(cardDataIn(text.replaceAll(/[^0-9]/g, ""))).toBe("a card number");
    expect(cardDataIn(text)).toBeUndefined();
  },
);

test.each(["5038009634457", "5020006334539", "5018000707916"])(
  "the bar code %s passes, though it has an issuer's prefix and the check digit of cards",
  (text) => {
    expect(cardDataIn(text)).toBeUndefined();
  },
);

test("what has an IBAN's form but not its check digits or its country's length hides no card number", () => {
  for (const text of ["AT00 4242 4242 4242 4242", "DE78 4242 4242 4242 4242"])
    expect([text, cardDataIn(text)]).toEqual([text, "a card number"]);
});

test("of random order numbers, 4 % of those with 16 digits are taken for a card's, and fewer of all other lengths", () => {
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed;
  };
  const rateOf = (length: number): number => {
    const numbersOf = Array.from({ length: 20_000 }, () =>
      Array.from({ length }, () => Math.floor(random() / 1_000) % 10).join(""),
    );
    return numbersOf.filter((number) => cardDataIn(number) !== undefined).length / numbersOf.length;
  };
  const limits = {
    10: 0,
    11: 0,
    12: 0.001,
    13: 0.012,
    14: 0.006,
    15: 0.004,
    16: 0.04,
    17: 0.003,
    18: 0.01,
    19: 0.024,
    20: 0,
    22: 0,
    30: 0,
  };
  for (const [length, limit] of Object.entries(limits))
    expect([length, rateOf(Number(length)) <= limit]).toEqual([length, true]);
});
