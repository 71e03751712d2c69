import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, expectProblem, orderIn, postBytes, replyOf, rowCounts } from "./requests.ts";

let stack: TestStack;
let before: Record<string, number>;
beforeAll(async () => {
  stack = await startTestStack();
});
beforeEach(async () => {
  before = await rowCounts(stack.db);
});
afterAll(() => stack.stopAll());

const deep = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const text = (body: Record<string, unknown>): string => JSON.stringify(body);
/** A valid body as text in which one mark is replaced by raw JSON. */
const raw = (changes: Record<string, unknown>, json: string): string =>
  text(checkoutBody(changes)).replace('"MARK"', json);
const withCheckoutId = (id: string): string => text({ ...checkoutBody(), checkout_id: id });
const card_number = "4242 4242 4242 4242";

type Case = readonly [name: string, body: string, status: number, code: ErrorCode, param: string];
const amount = "payment_orders[0][amount]";
const ofOrder = (order: Record<string, unknown>): string => text(checkoutBody({}, [order]));
const ofAmount = (value: unknown, currency = "USD"): string => ofOrder({ amount: value, currency });

const badAmounts: readonly Case[] = [
  "abc",
  "-5.00",
  "0",
  "0.00",
  "nan",
  "NaN",
  "Infinity",
  "1e3",
  "1e400",
  "10.005",
  "10.000",
  "+5.00",
  " 5.00",
  "5.00 ",
  "5,00",
  "1,000.00",
  "0x10",
  ".5",
  "5.",
  "007",
  "٥",
  "９",
  "5−",
  "9223372036854775807",
  "9223372036854775808",
  "1000000000000000.00",
  "9".repeat(50),
].map((value): Case => [
  `the amount ${JSON.stringify(value)}`,
  ofAmount(value),
  400,
  "invalid_amount",
  amount,
]);

const notTexts: readonly Case[] = [10, 10.5, -5, 0, 1e3, null, true, ["5.00"], { value: "5.00" }].map(
  (value): Case => [
    `the amount ${JSON.stringify(value)} instead of a string`,
    ofAmount(value),
    400,
    "invalid_request",
    amount,
  ],
);

const cases: readonly Case[] = [
  ...badAmounts,
  ...notTexts,
  ["an empty amount", ofAmount(""), 400, "invalid_amount", amount],
  ["an amount of 51 digits", ofAmount("1".repeat(51)), 400, "invalid_request", amount],
  [
    "a number too large for JSON's readers",
    raw(
      { payment_orders: [{ payment_order_id: "x", seller_account: "y", amount: "MARK", currency: "USD" }] },
      "1e400",
    ),
    400,
    "invalid_json",
    amount,
  ],
  ["half a yen", ofAmount("5.5", "JPY"), 400, "invalid_amount", amount],
  ["yen with empty decimals", ofAmount("5.0", "JPY"), 400, "invalid_amount", amount],
  ["a step that the PSP does not take", ofAmount("1.234", "BHD"), 400, "amount_not_supported", amount],
  ["a currency that the PSP does not take", ofAmount("1.0000", "CLF"), 400, "amount_not_supported", amount],
  ["more digits than the PSP takes", ofAmount("1000000.00", "USD"), 400, "amount_not_supported", amount],
  ["a fourth decimal of a dinar", ofAmount("1.2345", "BHD"), 400, "invalid_amount", amount],
  [
    "an unknown currency",
    ofAmount("5.00", "ABC"),
    400,
    "unsupported_currency",
    "payment_orders[0][currency]",
  ],
  [
    "a lower-case currency",
    ofAmount("5.00", "usd"),
    400,
    "unsupported_currency",
    "payment_orders[0][currency]",
  ],
  [
    "a withdrawn currency",
    ofAmount("5.00", "DEM"),
    400,
    "unsupported_currency",
    "payment_orders[0][currency]",
  ],
  [
    "a currency that is no money",
    ofAmount("5.00", "XXX"),
    400,
    "unsupported_currency",
    "payment_orders[0][currency]",
  ],
  ["gold", ofAmount("5", "XAU"), 400, "unsupported_currency", "payment_orders[0][currency]"],
  [
    "a currency of four letters",
    ofAmount("5.00", "USDT"),
    400,
    "invalid_request",
    "payment_orders[0][currency]",
  ],
  [
    "a currency named like a member of every object",
    ofAmount("5.00", "toS"),
    400,
    "unsupported_currency",
    "payment_orders[0][currency]",
  ],
  [
    "one bad order beside a good one",
    text(checkoutBody({}, [{}, { amount: "0" }])),
    400,
    "invalid_amount",
    "payment_orders[1][amount]",
  ],
  [
    "an order id that stands twice",
    text(checkoutBody({}, [{ payment_order_id: "twice" }, { payment_order_id: "twice" }])),
    400,
    "invalid_request",
    "payment_orders[1][payment_order_id]",
  ],
  ["no orders", text(checkoutBody({ payment_orders: [] })), 400, "invalid_request", "payment_orders"],
  [
    "101 orders",
    text(
      checkoutBody(
        {},
        Array.from({ length: 101 }, () => ({})),
      ),
    ),
    400,
    "invalid_request",
    "payment_orders",
  ],
  ["no checkout_id", raw({ checkout_id: undefined }, "1"), 400, "invalid_request", "checkout_id"],
  ["an empty checkout_id", text(checkoutBody({ checkout_id: "" })), 400, "invalid_request", "checkout_id"],
  [
    "a checkout_id of 256 bytes in four-byte characters",
    text(checkoutBody({ checkout_id: "😀".repeat(64) })),
    400,
    "invalid_request",
    "checkout_id",
  ],
  [
    "a direction mark in an order id",
    ofOrder({ payment_order_id: "\u202ertl\u202c" }),
    400,
    "invalid_request",
    "payment_orders[0][payment_order_id]",
  ],
  [
    "a checkout_id of 256 characters",
    text(checkoutBody({ checkout_id: "c".repeat(256) })),
    400,
    "invalid_request",
    "checkout_id",
  ],
  [
    "a checkout_id that is a number",
    text({ ...checkoutBody(), checkout_id: 7 }),
    400,
    "invalid_request",
    "checkout_id",
  ],
  [
    "a seller_account of 256 characters",
    ofOrder({ seller_account: "s".repeat(256) }),
    400,
    "invalid_request",
    "payment_orders[0][seller_account]",
  ],
  [
    "no user_id",
    text(checkoutBody({ buyer_info: { email: "a@example.com" } })),
    400,
    "invalid_request",
    "buyer_info[user_id]",
  ],
  [
    "no e-mail address",
    text(checkoutBody({ buyer_info: { user_id: "u" } })),
    400,
    "invalid_request",
    "buyer_info[email]",
  ],
  [
    "an e-mail address without @",
    text(checkoutBody({ buyer_info: { user_id: "u", email: "example.com" } })),
    400,
    "invalid_request",
    "buyer_info[email]",
  ],
  [
    "no card",
    text(checkoutBody({ credit_card_info: undefined })),
    400,
    "invalid_request",
    "credit_card_info",
  ],
  [
    "a CVV",
    text(checkoutBody({ credit_card_info: { token: "tok_visa", cvv: "123" } })),
    400,
    "card_number_refused",
    "credit_card_info[cvv]",
  ],
  [
    "five last digits",
    text(checkoutBody({ credit_card_info: { token: "tok_visa", last4: "12345" } })),
    400,
    "invalid_request",
    "credit_card_info[last4]",
  ],
  ["an unknown field", text(checkoutBody({ status: "SUCCESS" })), 400, "invalid_request", "status"],
  [
    "an unknown field of an order",
    ofOrder({ wallet_updated: true }),
    400,
    "invalid_request",
    "payment_orders[0][wallet_updated]",
  ],
  [
    "an unknown field of the buyer",
    text(checkoutBody({ buyer_info: { user_id: "u", email: "a@b.example", tenant_id: "t" } })),
    400,
    "invalid_request",
    "buyer_info[tenant_id]",
  ],
  ["a body that is a list", "[]", 400, "invalid_request", "body"],
  ["a body that is null", "null", 400, "invalid_request", "body"],
  ["NUL in the checkout_id", withCheckoutId("a\u0000b"), 400, "invalid_request", "checkout_id"],
  [
    "NUL in an order",
    ofOrder({ seller_account: "a\u0000" }),
    400,
    "invalid_request",
    "payment_orders[0][seller_account]",
  ],
  [
    "NUL deep in seller_info",
    text(checkoutBody({ seller_info: { a: [{ b: "\u0000" }] } })),
    400,
    "invalid_request",
    "seller_info[a][0][b]",
  ],
  [
    "NUL in a name of seller_info",
    text(checkoutBody({ seller_info: { "a\u0000": 1 } })),
    400,
    "invalid_request",
    "seller_info",
  ],
  [
    "a lone surrogate",
    raw({ seller_info: { a: "MARK" } }, '"\\ud800"'),
    400,
    "invalid_request",
    "seller_info[a]",
  ],
  ["a lone surrogate in the checkout_id", withCheckoutId("\udc00x"), 400, "invalid_request", "checkout_id"],
  [
    "a card number as the token",
    text(checkoutBody({ credit_card_info: { token: "4242424242424242" } })),
    400,
    "card_number_refused",
    "credit_card_info[token]",
  ],
  [
    "a card number as checkout_id",
    withCheckoutId("4000-0566-5566-5556"),
    400,
    "card_number_refused",
    "checkout_id",
  ],
  [
    "a card number in the buyer's name",
    text(checkoutBody({ buyer_info: { user_id: "u", email: "a@b.example", name: `Al ${card_number}` } })),
    400,
    "card_number_refused",
    "buyer_info[name]",
  ],
  [
    "a card number as the seller",
    ofOrder({ seller_account: "378282246310005" }),
    400,
    "card_number_refused",
    "payment_orders[0][seller_account]",
  ],
  [
    "a card number deep in seller_info",
    text(checkoutBody({ seller_info: { notes: ["x", { pan: card_number }] } })),
    400,
    "card_number_refused",
    "seller_info[notes][1][pan]",
  ],
  [
    "a card number as a name in seller_info",
    text(checkoutBody({ seller_info: { "5555555555554444": true } })),
    400,
    "card_number_refused",
    "seller_info",
  ],
  [
    "a card number as a JSON number in seller_info",
    text(checkoutBody({ seller_info: { pan: 4242424242424242 } })),
    400,
    "card_number_refused",
    "seller_info[pan]",
  ],
  [
    "__proto__ in the body",
    raw({ seller_info: "MARK" }, '{"__proto__":{"is_admin":true}}'),
    400,
    "invalid_request",
    "seller_info[__proto__]",
  ],
  [
    "an escaped __proto__",
    raw({ seller_info: "MARK" }, '{"\\u005f_proto__":{"is_admin":true}}'),
    400,
    "invalid_request",
    "seller_info[__proto__]",
  ],
  [
    "constructor.prototype in the body",
    raw({ seller_info: "MARK" }, '{"constructor":{"prototype":{"is_admin":true}}}'),
    400,
    "invalid_request",
    "seller_info[constructor]",
  ],
  ["text that is not JSON", "{not json", 400, "invalid_json", "body"],
  ["an empty body", "", 400, "invalid_json", "body"],
  [
    "a body of 2 MB",
    text(checkoutBody({ seller_info: { text: "x".repeat(2_000_000) } })),
    413,
    "payload_too_large",
    "body",
  ],
  ["100,000 brackets and nothing else", "[".repeat(100_000), 400, "invalid_json", "body"],
  ["100,000 nested lists as the body", deep(100_000), 400, "invalid_request", "body"],
  [
    "100,000 nested lists as an amount",
    raw({ payment_orders: [{ payment_order_id: "x", seller_account: "y", amount: "MARK" }] }, deep(100_000)),
    400,
    "invalid_request",
    amount,
  ],
  [
    "100,000 nested lists in seller_info",
    raw({ seller_info: { a: "MARK" } }, deep(100_000)),
    400,
    "invalid_request",
    "seller_info[a]",
  ],
  [
    "100,000 nested objects in an unknown field",
    raw({ more: "MARK" }, `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`),
    400,
    "invalid_request",
    "more",
  ],
];

describe("a bad checkout is a clear 4xx that names the field, and not one row is written", () => {
  test.for(cases)("%s", async ([, body, status, code, param]) => {
    const started = performance.now();
    const reply = await postBytes(stack, "/api/v1/payments", body);
    // Of a deep nesting the field may be named as far as it was followed.
    const field = String(reply.json["param"]);
    expectProblem(
      reply,
      status,
      code,
      body.length >= 100_000 && (field.startsWith(`${param}[`) || param === "body") ? field : param,
    );
    expect(reply.text.length).toBeLessThan(20_000);
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("bytes that are not UTF-8 are not turned into another text", async () => {
    const body = Buffer.from(text(checkoutBody({ seller_info: { name: "bytes-MARK" } })));
    body.write("\xff\xfe\xfd\xfc", body.indexOf("MARK"), "latin1");
    expectProblem(
      await postBytes(stack, "/api/v1/payments", Uint8Array.from(body)),
      400,
      "invalid_json",
      "body",
    );
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("a body of 40,000 unknown fields gets a short answer", async () => {
    const fields = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`field_${index}`, 1]));
    const reply = await postBytes(stack, "/api/v1/payments", text({ ...checkoutBody(), ...fields }));
    expectProblem(reply, 400, "invalid_request");
    expect(reply.text.length).toBeLessThan(20_000);
  });

  test.for([
    ["text/plain", {}],
    ["application/x-www-form-urlencoded", {}],
    ["multipart/form-data; boundary=x", {}],
    ["application/xml", {}],
  ] as const)("a body of the type %s is 415", async ([type]) => {
    expectProblem(
      await postBytes(stack, "/api/v1/payments", text(checkoutBody()), { "content-type": type }),
      415,
      "unsupported_media_type",
    );
  });

  test("a compressed body is refused", async () => {
    const body = Uint8Array.from(gzipSync(Buffer.alloc(10_000_000, "[")));
    const reply = await postBytes(stack, "/api/v1/payments", body, {
      "content-type": "application/json",
      "content-encoding": "gzip",
    });
    expectProblem(
      reply,
      reply.status === 415 ? 415 : 400,
      reply.status === 415 ? "unsupported_media_type" : "invalid_json",
    );
    expect(await rowCounts(stack.db)).toEqual(before);
  });
});

describe("hostile paths and queries are a 4xx with problem details", () => {
  test.for([
    ["a half percent sign", "/payments/%E0%A4%A", 400],
    ["NUL in a path", "/payments/a%00b", 400],
    ["NUL as a checkout", "/checkouts/%00", 400],
    ["NUL as a wallet", "/wallets/%00", 400],
    ["NUL as a ledger account", "/ledger/accounts/%00/statement?currency=USD", 400],
    ["NUL as a dead letter", "/dead_letters/%00", 400],
    ["NUL in a filter", "/payments?seller_account=%00", 400],
    ["NUL in a ledger filter", "/ledger?account_id=a%00", 400],
    ["an unknown filter", "/payments?status_is=SUCCESS", 400],
    ["a filter that stands twice", "/payments?status=SUCCESS&status=FAILED", 400],
    ["an unknown state", "/payments?status=PAID", 400],
    ["the limit 0", "/payments?limit=0", 400],
    ["the limit 101", "/wallets?limit=101", 400],
    ["the limit -1", "/ledger?limit=-1", 400],
    ["the limit 1.5", "/payments?limit=1.5", 400],
    ["the limit abc", "/dead_letters?limit=abc", 400],
    ["an empty limit", "/payments?limit=", 400],
    ["a currency that is none", "/ledger?currency=us", 400],
    ["a time that is none", "/payments?created_at[gte]=yesterday", 400],
    ["30 February", "/payments?created_at[gte]=2026-02-30T00:00:00Z", 400],
    ["the year 0", "/payments?created_at[gte]=0000-01-01T00:00:00Z", 400],
    ["a time zone that is none", "/ledger?created_at[lt]=2026-01-01T00:00:00%2B23:00", 400],
    ["SQL in a filter", "/payments?status='; drop table payment_orders; --", 400],
    ["SQL in a sort", "/payments?order_by=1", 400],
    ["a cursor of nonsense", "/payments?cursor=abc", 400],
    ["an empty cursor", "/payments?cursor=", 400],
    ["an entry id that is none", "/ledger/abc", 404],
    ["an id of 256 characters", `/payments/${"x".repeat(256)}`, 400],
    ["an unknown resource", "/nothing", 404],
    ["an unknown version", "/../v2/payments", 404],
  ] as const)("%s", async ([, path, status]) => {
    const reply = await stack.call("GET", path);
    expect(reply, reply.text).toMatchObject({ status });
    expectProblem(reply, status, reply.json["code"] as ErrorCode);
  });

  test("an empty id is no id: only a list is served with a slash behind its name", async () => {
    const reads = [
      "/payments//",
      "/payments///",
      "/checkouts/",
      "/checkouts//",
      "/wallets//",
      "/ledger//",
      "/dead_letters//",
      "/risk_blocks//",
      "/ledger/accounts//",
      "/ledger/accounts//balance?currency=USD",
      "/ledger/accounts//statement?currency=USD",
      "//payments",
    ];
    const actions = [
      "/payments//",
      "/payments//retry",
      "/payments//cancel",
      "/payments//capture",
      "/checkouts//review",
      "/dead_letters//redrive",
      "/attempts//resolve",
    ];
    for (const [method, paths] of [
      ["GET", reads],
      ["POST", actions],
    ] as const) {
      for (const path of paths)
        expect([path, (await stack.call(method, path, method === "POST" ? {} : undefined)).status]).toEqual([
          path,
          expect.toBeOneOf([400, 404]),
        ]);
    }
    expect((await stack.call("GET", "/payments/")).json["object"]).toBe("list");
  });

  test("a method that a route does not have is a 404 with problem details", async () => {
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      const reply = await replyOf(
        await fetch(`${stack.service_url}/api/v1/payments`, {
          method,
          headers: { authorization: "Bearer sk_dev" },
        }),
      );
      expectProblem(reply, 404, "not_found");
    }
  });
});

test("unusual ids that are texts are kept exactly and can be read back", async () => {
  const ids = ["a/b c?d#e%f", "١٢٣", "é".normalize("NFD"), "é", "Ａ", "';--", "null", "NaN", "\\x\\'"];
  for (const id of ids) await expectKept(id);
  for (const id of ids)
    expect(await stack.effects(`payment_order_id=${encodeURIComponent(id)}`)).toMatchObject({ count: 1 });
});

test.for([
  ["of one byte", "x".repeat(255)],
  ["of three bytes", "中".repeat(85)],
  ["outside the basic plane", `${"😀".repeat(63)}end`],
] as const)("an id of 255 bytes in characters %s can be read back", async ([, id]) => {
  expect(Buffer.byteLength(id)).toBe(255);
  await expectKept(id);
});

async function expectKept(id: string): Promise<void> {
  await acceptCheckout(stack, { checkout_id: id }, [{ payment_order_id: id, seller_account: id }]);
  expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({
    payment_order_id: id,
    checkout_id: id,
    seller_account: id,
  });
  expect((await stack.call("GET", `/checkouts/${encodeURIComponent(id)}`)).json).toMatchObject({
    checkout_id: id,
  });
  expect((await stack.call("GET", `/wallets/${encodeURIComponent(id)}`)).json).toMatchObject({
    account_id: id,
  });
}
