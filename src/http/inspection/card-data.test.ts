import fc from "fast-check";
import { expect, test } from "vitest";
import { AppError } from "../../errors.ts";
import { cardDataIn, isVerificationCodeName } from "./card-data.ts";
import { isIban } from "./exempt-forms.ts";
import { inspectHeaders } from "./headers.ts";
import { inspect } from "./inspect.ts";

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

test.each([
  "cvv 123",
  "CVV: 1234",
  "CVC2=999",
  "the card security code is".slice(0, 22) + " 123",
  "my cvc - 042",
  "CVV2 is 123",
  "the cvc code is: 1234",
  "cvv no. 123",
])("a verification code is found in %j", (text) => {
  expect(cardDataIn(text)).toBe("a card's verification code");
});

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

/** Code and field of the refusal, or "taken". */
function verdictOf(run: () => unknown): string {
  try {
    run();
    return "taken";
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.param ?? ""}`;
    throw error;
  }
}

test.each([
  [["4242", "4242", "4242", "4242"], "body"],
  [{ pan: ["42424242", 42424242] }, "pan"],
  [{ a: "4242", b: "4242", c: "4242", d: "4242" }, "body"],
  [{ card: { first: "3782", middle: "822463", last: "10005" } }, "card"],
  [{ parts: [{ digits: "4242" }, { digits: "4242" }, { digits: "4242" }, { digits: "4242" }] }, "parts[0]"],
  [
    {
      pan: [
        [4242, 4242],
        [4242, 4242],
      ],
    },
    "pan[0]",
  ],
  [{ pan: Array.from("4242424242424242") }, "pan"],
])("a number that is cut into several values is found: %j", (body, param) => {
  expect(verdictOf(() => inspect(body))).toBe(`card_number_refused ${param}`);
});

test("ids and amounts that are digits only are not read as one number", () => {
  const orders = [
    { payment_order_id: "42424242", seller_account: "4242", amount: "42.42", currency: "USD" },
    { payment_order_id: "42424", seller_account: "242424", amount: "24242", currency: "JPY" },
  ];
  expect(verdictOf(() => inspect({ checkout_id: "4242", payment_orders: orders }))).toBe("taken");
  expect(verdictOf(() => inspect({ amount: "4163026329.99", other: "4242424242" }))).toBe("taken");
});

test.each([
  "cvv",
  "CVV",
  "cvv2",
  "cvc",
  "card_cvc",
  "card-verification-value",
  "cardVerificationCode",
  "security_code",
  "ｃｖｖ",
  "c.v.v",
  "csc",
  "pin_block",
])("a field named %s is refused by its name, wherever it stands and whatever it holds", (name) => {
  expect(isVerificationCodeName(name)).toBe(true);
  expect(verdictOf(() => inspect({ seller_info: [{ [name]: null }] }))).toBe(
    `card_number_refused seller_info[0][${name}]`,
  );
});

test.each([
  "id",
  "client_id",
  "pinned",
  "code",
  "verification",
  "cvs",
  "last4",
  "checkout_id",
  "currency",
  "account_id",
])("a field named %s is not", (name) => {
  expect(isVerificationCodeName(name)).toBe(false);
});

test("headers that a client fills are looked through, those of machines are not", () => {
  const verdict = (headers: Record<string, string>): string => verdictOf(() => inspectHeaders(headers));
  expect(verdict({ "idempotency-key": "4242 4242 4242 4242" })).toBe("card_number_refused Idempotency-Key");
  expect(verdict({ "x-card": Buffer.from("４２４２４２４２４２４２４２４２").toString("latin1") })).toBe(
    "card_number_refused x-card",
  );
  expect(verdict({ "x-cvv": "123", cvv: "123" })).toBe("card_number_refused cvv");
  expect(verdict({ "x-4242424242424242": "1" })).toBe("card_number_refused x-4242424242424242");
  expect(
    verdict({
      "x-forwarded-for": "42.42.42.42, 42.42.42.42",
      "user-agent": "x/4242.4242.4242.4242",
      traceparent: "00-42424242424242424242424242424242-4242424242424242-01",
    }),
  ).toBe("taken");
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

test("a text that is longer than any field may be is refused unread", () => {
  expect(verdictOf(() => inspect({ note: "x".repeat(20_000) }))).toBe("taken");
  expect(verdictOf(() => inspect({ note: "4 ".repeat(500_000) }))).toBe("invalid_request note");
});

test("a body of more values than any request has is refused", () => {
  expect(verdictOf(() => inspect({ list: Array.from({ length: 9_000 }, () => null) }))).toBe("taken");
  expect(verdictOf(() => inspect({ list: Array.from({ length: 11_000 }, () => null) }))).toBe(
    "invalid_request body",
  );
});
