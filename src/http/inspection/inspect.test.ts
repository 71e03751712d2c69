import fc from "fast-check";
import { expect, test } from "vitest";
import { verdictOf as verdictOfRun } from "../../../test/support/refusals.ts";
import { inspect } from "./inspect.ts";

const verdictOf = (body: unknown): string => verdictOfRun(() => inspect(body));

const nested = (levels: number): unknown => {
  let value: unknown = "innermost";
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { in: value };
  return value;
};

test.each([
  [null],
  [undefined],
  [7],
  ["text"],
  [{}],
  [{ a: [1, "é", "日本", "𝄞", null, true] }],
  [{ amount: "29.99", note: "a b-c_d:e" }],
])("%j is taken", (body) => {
  expect(verdictOf(body)).toBe("taken");
});

test("32 levels are taken, 33 and 100,000 are refused", () => {
  expect(verdictOf(nested(32))).toBe("taken");
  for (const levels of [33, 100_000]) expect(verdictOf(nested(levels))).toMatch(/^invalid_request /);
});

test("a control character is refused with the name of its field, in a value and in a name", () => {
  expect(verdictOf({ buyer_info: { name: "A\u0000" } })).toBe("invalid_request buyer_info[name]");
  expect(verdictOf({ payment_orders: [{}, { seller_account: "\u001b[2J" }] })).toBe(
    "invalid_request payment_orders[1][seller_account]",
  );
  expect(verdictOf({ seller_info: { "a\u0000b": 1 } })).toBe("invalid_request seller_info");
  expect(verdictOf({ "\u0000": 1 })).toBe("invalid_request body");
});

test("every C0 character and DEL is refused, and no other character of the first plane is", () => {
  for (let code = 0; code <= 0xffff; code++) {
    const isRefused = code < 0x20 || code === 0x7f || (code >= 0xd800 && code <= 0xdfff);
    if ((verdictOf({ a: String.fromCharCode(code) }) !== "taken") !== isRefused)
      throw new Error(`U+${code.toString(16)}`);
  }
  expect.assertions(0);
});

test("half a surrogate pair is refused, a whole one is taken", () => {
  for (const text of ["\ud83d", "\ude00", "a\ude00\ud83db"])
    expect(verdictOf({ note: text })).toBe("invalid_request note");
  expect(verdictOf({ note: "\ud83d\ude00" })).toBe("taken");
});

const cards = [
  "4242424242424242",
  "5555555555554444",
  "378282246310005",
  "6011111111111117",
  "3056930009020004",
  "3566002020360505",
  "6200000000000005",
  "4222222222222",
];

test.each(cards)("the card number %s is refused wherever it stands, plain or grouped", (number) => {
  const grouped = number.replace(/(\d{4})(?=\d)/g, "$1 ");
  for (const text of [
    number,
    grouped,
    grouped.replaceAll(" ", "-"),
    `card ${number}.`,
    `tok_${number}`,
    `${number},${number}`,
  ]) {
    expect([text, verdictOf({ credit_card_info: { token: text } })]).toEqual([
      text,
      "card_number_refused credit_card_info[token]",
    ]);
  }
  expect(verdictOf({ [number]: 1 })).toBe("card_number_refused body");
});

test.each(["checkout_id", "seller_account", "amount", "email", "token", "name"])(
  "a field named %s may not hold a card number",
  (name) => {
    for (const text of ["4242424242424242", "4242.4242.4242.4242", "4242424242424242@b.example"]) {
      expect([text, verdictOf({ order: { [name]: text } })]).toEqual([
        text,
        `card_number_refused order[${name}]`,
      ]);
    }
  },
);

test.each([
  "4242 4242 4242 4242 12/34",
  "4242424242424242 123",
  "4242 4242 4242 4242 1234",
  "12 4242424242424242",
  "4000000000000001 4242424242424242",
  "2026-11-22 4242424242424242",
])("the card number in %j is found beside other digits", (text) => {
  expect(verdictOf({ note: text })).toBe("card_number_refused note");
});

test("a number whose check digit does not fit, or of 12 or 20 digits, is no card number", () => {
  for (const text of ["4242424242424241", "424242424242", "42424242424242424242", "1234567890123"])
    expect(verdictOf({ note: text })).toBe("taken");
});

// Random UUIDs of which some digits, taken across their groups, would pass as a card number: about one in
// eight hundred does.
test.each([
  "48b87578-5160-4440-8301-007444514ecc",
  "a4242424-2424-4242-8424-24242424abcd",
  "00000000-0000-4000-8000-000000000042",
])("the UUID %s is no card number", (uuid) => {
  for (const id of [uuid, `order:${uuid}`, uuid.replaceAll("-", "")])
    expect([id, verdictOf({ checkout_id: id })]).toEqual([id, "taken"]);
});

test("no UUID and no amount is taken for a card number", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.bigInt({ min: 0n, max: 10n ** 11n }), (uuid, units) => {
      expect(verdictOf({ id: uuid, amount: `${units}.99` })).toBe("taken");
    }),
    { numRuns: 5_000 },
  );
});

test("a refusal names the field and never repeats what stood in it", () => {
  for (const text of ["4242424242424242", "secret\u0000"]) {
    try {
      inspect({ note: text });
    } catch (error) {
      expect(String(error)).not.toContain(text);
    }
  }
  expect.assertions(2);
});

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
  expect(verdictOf(body)).toBe(`card_number_refused ${param}`);
});

test("ids and amounts that are digits only are not read as one number", () => {
  const orders = [
    { payment_order_id: "42424242", seller_account: "4242", amount: "42.42", currency: "USD" },
    { payment_order_id: "42424", seller_account: "242424", amount: "24242", currency: "JPY" },
  ];
  expect(verdictOf({ checkout_id: "4242", payment_orders: orders })).toBe("taken");
  expect(verdictOf({ amount: "4163026329.99", other: "4242424242" })).toBe("taken");
});

test("a text that is longer than any field may be is refused unread", () => {
  expect(verdictOf({ note: "x".repeat(20_000) })).toBe("taken");
  expect(verdictOf({ note: "4 ".repeat(500_000) })).toBe("invalid_request note");
});

test("a body of more values than any request has is refused", () => {
  expect(verdictOf({ list: Array.from({ length: 9_000 }, () => null) })).toBe("taken");
  expect(verdictOf({ list: Array.from({ length: 11_000 }, () => null) })).toBe("invalid_request body");
});
