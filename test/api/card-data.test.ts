import { createHmac } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { exchangeRaw } from "../support/raw-http.ts";
import { checkoutBody, startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, expectProblem, postBytes, rowCounts } from "./requests.ts";

let stack: TestStack;
let before: Record<string, number>;
beforeAll(async () => {
  stack = await startTestStack();
});
beforeEach(async () => {
  before = await rowCounts(stack.db);
});
afterAll(() => stack.stopAll());

/** Ways in which card numbers came in before: 20 of 25 were stored. */
const probes = [
  "4242424242424242",
  "4242 4242 4242 4242",
  "4242.4242.4242.4242",
  "4242/4242/4242/4242",
  "4242_4242_4242_4242",
  "4242\u00a04242\u00a04242\u00a04242",
  "4242 - 4242 - 4242 - 4242",
  "４２４２４２４２４２４２４２４２",
  "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
  "4242\u200b4242\u200b4242\u200b4242",
  "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
  "card4242424242424242x",
  "tok_4242424242424242",
  "%B4242424242424242^DOE/JANE^25121010000000000000?",
  ";4242424242424242=25121010000012300000?",
  "4242424242424242=2512101",
  "378282246310005",
  "3782-822463-10005",
  "6200.0000.0000.0005",
  "4242 4242 4242 4242 12/29 123",
  "cvv 123",
  "4242%204242%204242%204242",
  "4242%2D4242%2d4242%2f4242",
  "4242&nbsp;4242&nbsp;4242&nbsp;4242",
  "3782x822463x10005",
  "4242y4242y4242y4242",
  "4242 -/. 4242 -/. 4242 -/. 4242",
  "፬፪፬፪፬፪፬፪፬፪፬፪፬፪፬፪",
] as const;

/** Each field of a checkout that holds a text, and where it stands. */
const fields: readonly (readonly [param: string, body: (text: string) => Record<string, unknown>])[] = [
  ["checkout_id", (text) => ({ ...checkoutBody(), checkout_id: text })],
  ["buyer_info[user_id]", (text) => checkoutBody({ buyer_info: { user_id: text, email: "a@b.example" } })],
  [
    "buyer_info[email]",
    (text) =>
      checkoutBody({ buyer_info: { user_id: "u", email: `${text.replaceAll(/\s/g, ".")}@b.example` } }),
  ],
  [
    "buyer_info[name]",
    (text) => checkoutBody({ buyer_info: { user_id: "u", email: "a@b.example", name: text } }),
  ],
  ["credit_card_info[token]", (text) => checkoutBody({ credit_card_info: { token: text } })],
  [
    "hosted_page[return_url]",
    (text) =>
      checkoutBody({
        credit_card_info: undefined,
        hosted_page: { return_url: `https://x.example/?c=${text}` },
      }),
  ],
  ["seller_info[name]", (text) => checkoutBody({ seller_info: { name: text } })],
  ["seller_info[tax_id]", (text) => checkoutBody({ seller_info: { tax_id: text } })],
  ["payment_orders[0][payment_order_id]", (text) => checkoutBody({}, [{ payment_order_id: text }])],
  ["payment_orders[0][seller_account]", (text) => checkoutBody({}, [{ seller_account: text }])],
  ["payment_orders[0][amount]", (text) => checkoutBody({}, [{ amount: text }])],
];

/** Expects the refusal, nothing of the number in it, and nothing written. */
async function expectRefused(reply: Reply, param: string): Promise<void> {
  expectProblem(reply, 400, "card_number_refused", param);
  expect(reply.text.replace(/urn:request:\w+/, "")).not.toMatch(/(\d\D{0,3}){12}/);
  expect(await rowCounts(stack.db)).toEqual(before);
}

describe("card data is refused with the name of its field, and not one row is written", () => {
  test.for(fields)("in %s", async ([param, bodyWith]) => {
    for (const text of probes) {
      const reply = await stack.call("POST", "/payments", bodyWith(text));
      expect([text, reply.status, reply.json["code"], reply.json["param"]]).toEqual([
        text,
        400,
        "card_number_refused",
        param,
      ]);
    }
    await expectRefused(await stack.call("POST", "/payments", bodyWith("4242 4242 4242 4242")), param);
  });

  test.for(probes.filter((text) => /^[\x20-\x7e]+$/.test(text)))(
    "in the header Idempotency-Key: %s",
    async (text) => {
      await expectRefused(
        await stack.call("POST", "/payments", checkoutBody(), { "idempotency-key": text }),
        "Idempotency-Key",
      );
    },
  );

  test("in another header, or under the name of a header", async () => {
    await expectRefused(
      await stack.call("POST", "/payments", checkoutBody(), { "x-reference": "4242-4242-4242-4242" }),
      "x-reference",
    );
    await expectRefused(await stack.call("POST", "/payments", checkoutBody(), { cvv: "123" }), "cvv");
  });

  test.for([
    "/payments/4242424242424242",
    "/payments/4242%C2%A04242%C2%A04242%C2%A04242",
    "/checkouts/%EF%BC%94%EF%BC%9242424242424242",
    "/wallets/4242.4242.4242.4242",
  ])("in the path %s", async (path) =>
    expectProblem(await stack.call("GET", path), 400, "card_number_refused"),
  );

  test.for([
    "/payments?seller_account=4242/4242/4242/4242",
    "/payments?checkout_id=x4242424242424242x",
    "/ledger?account_id=4242%E2%80%AF4242%E2%80%AF4242%E2%80%AF4242",
    "/payments?cvv=123",
    "/payments?4242424242424242=1",
  ])("in the query %s", async (path) =>
    expectProblem(await stack.call("GET", path), 400, "card_number_refused"),
  );

  test("cut into items of an array or into neighbouring fields, as a name, and as a JSON number", async () => {
    const post = (changes: Record<string, unknown>): Promise<Reply> =>
      stack.call("POST", "/payments", checkoutBody(changes));
    await expectRefused(
      await post({ seller_info: { tags: ["4242", "4242", "4242", "4242"] } }),
      "seller_info[tags]",
    );
    await expectRefused(
      await post({ seller_info: { a: "4242", b: "4242", c: "4242", d: "4242" } }),
      "seller_info",
    );
    await expectRefused(await post({ seller_info: { "4242-4242-4242-4242": 1 } }), "seller_info");
    await expectRefused(await post({ seller_info: { pan: 4242424242424242 } }), "seller_info[pan]");
    await expectRefused(
      await post({ credit_card_info: { token: "tok_visa", card_verification_code: "123" } }),
      "credit_card_info[card_verification_code]",
    );
  });

  test("in the card of a retry", async () => {
    expectProblem(
      await stack.call("POST", "/payments/x/retry", { card_token: "4242 4242 4242 4242" }),
      400,
      "card_number_refused",
      "card_token",
    );
  });
});

test("ids of other systems are taken: long order numbers, UUIDs, tracking numbers, timestamps, PSP tokens", async () => {
  const ids = [
    "12345678901234567890",
    "48b87578-5160-4440-8301-007444514ecc",
    "order:48b87578-5160-4440-8301-007444514ecc",
    "1Z8180887533048547",
    "9400100000000000000000",
    "2026-11-27T07:08:24.123456Z",
    "302-1234567-1234567",
    "DE89370400440532013000",
    "tok_1MoA2b2eZvKYlo2C8h4xYzAb",
    "+4915112345678",
    "01JQ2Z8M4T5V6W7X8Y9Z0A1B2C",
  ];
  for (const id of ids) {
    const buyer_info = { user_id: id, email: "a@b.example", name: id };
    await acceptCheckout(stack, { checkout_id: id, buyer_info }, [
      { payment_order_id: id, seller_account: id },
    ]);
  }
});

describe("seller_info has named fields", () => {
  test("and gives them back as they were sent", async () => {
    const seller_info = {
      name: "Bob's\u2028Shop",
      legal_name: "Bob Ltd",
      email: "bob@example.com",
      phone: "+4915112345678",
      country: "DE",
      tax_id: "DE123456789",
      website: "https://bob.example",
    };
    const { checkout_id } = await acceptCheckout(stack, { seller_info });
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).json["seller_info"]).toEqual(seller_info);
  });

  test.for(["shop", "tags", "a\u2028b", "\u2029", "bank_account"])(
    "and refuses the unknown field %j by its name",
    async (name) => {
      const reply = await stack.call("POST", "/payments", checkoutBody({ seller_info: { [name]: "x" } }));
      expectProblem(reply, 400, "invalid_request", `seller_info[${name}]`);
    },
  );
});

describe("a body is kept exactly or refused with the name of the field", () => {
  const text = (changes: Record<string, unknown>, json: string): string =>
    JSON.stringify(checkoutBody(changes)).replace('"MARK"', json);
  test.for([
    [
      "a number beyond what JavaScript holds",
      text({ seller_info: { name: "MARK" } }, "1e400"),
      "seller_info[name]",
    ],
    [
      "an integer beyond 2^53",
      text({ seller_info: { name: "MARK" } }, "9007199254740993"),
      "seller_info[name]",
    ],
    [
      "-0",
      text({ payment_orders: [{ payment_order_id: "o", seller_account: "s", amount: "MARK" }] }, "-0"),
      "payment_orders[0][amount]",
    ],
    [
      "a name that stands twice",
      text({ buyer_info: { user_id: "u", email: "MARK" } }, '"a@b.example","email":"c@d.example"'),
      "buyer_info[email]",
    ],
    [
      "an escaped name that stands twice",
      text({ buyer_info: { user_id: "u", email: "MARK" } }, '"a@b.example","\\u0065mail":"c@d.example"'),
      "buyer_info[email]",
    ],
    ["a byte-order mark", `\ufeff${text({}, "1")}`, "body"],
  ] as const)("%s", async ([, body, param]) => {
    expectProblem(await postBytes(stack, "/api/v1/payments", body), 400, "invalid_json", param);
    expect(await rowCounts(stack.db)).toEqual(before);
  });
});

test("two Idempotency-Key headers are refused, also when they are the same", async () => {
  const body = JSON.stringify(checkoutBody());
  const answer = await exchangeRaw(
    stack.service_url,
    [
      "POST /api/v1/payments HTTP/1.1",
      "host: x",
      "authorization: Bearer sk_dev",
      "content-type: application/json",
      "idempotency-key: one",
      "idempotency-key: one",
      `content-length: ${Buffer.byteLength(body)}`,
      "",
      body,
    ].join("\r\n"),
  );
  expect([answer.status, JSON.parse(answer.body)]).toMatchObject([
    400,
    { code: "idempotency_key_invalid", param: "Idempotency-Key" },
  ]);
  expect(await rowCounts(stack.db)).toEqual(before);
});

test("a signed webhook is taken, and stored without the card data in it", async () => {
  const secret = "whsec_card_data_of_a_webhook";
  const other = await startTestStack({ environment: { PSP_STRIPE_WEBHOOK_SECRET: secret } });
  try {
    const body = JSON.stringify({
      id: "evt_card",
      object: "event",
      type: "charge.succeeded",
      created: 1_764_227_304,
      data: {
        object: {
          id: "ch_1",
          object: "charge",
          description: "4242 4242 4242 4242",
          metadata: { attempt_id: "att_none" },
          card: { cvc: "123" },
        },
      },
    });
    const time = Math.floor(Date.now() / 1_000);
    const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
    const reply = await fetch(`${other.service_url}/api/v1/webhooks/stripe`, {
      method: "POST",
      body,
      headers: { "stripe-signature": `t=${time},v1=${signature}` },
    });
    expect(reply.status).toBe(200);
    const [row] = await other.db.asOwner(
      "select body::text as body from webhook_inbox where psp_event_id = 'evt_card'",
    );
    expect(JSON.parse(String(row?.["body"]))).toMatchObject({
      id: "evt_card",
      data: { object: { description: "[removed]", card: { cvc: "[removed]" } } },
    });
    expect(String(row?.["body"])).not.toContain("4242");
  } finally {
    await other.stopAll();
  }
});
