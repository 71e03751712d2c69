import { expect, test } from "vitest";
import { cpuMilliseconds } from "../../test/support/cpu-time.ts";
import { withoutSensitiveData } from "./sensitive-data.ts";

test("a webhook without card data is kept byte for byte", () => {
  const text =
    '{ "id" : "evt_1", "created":1764227304, "amount": 1e2, "name":"\\u0041", "card":{"last4":"4242","exp_year":2030} }';
  expect(withoutSensitiveData(text)).toBe(text);
});

test("card numbers, track data and verification codes are taken out, whatever their field is called", () => {
  const text = JSON.stringify({
    id: "evt_1",
    note: "paid with 4242 4242 4242 4242",
    pan: 4242424242424242,
    track: ";4242424242424242=25121010000?",
    card: { cvv: "123", number: "4242424242424242" },
  });
  expect(JSON.parse(withoutSensitiveData(text))).toEqual({
    id: "evt_1",
    note: "[removed]",
    pan: "[removed]",
    track: "[removed]",
    card: { cvv: "[removed]", number: "[removed]" },
  });
});

test.for([
  { id: "4242424242424242", data: { object: { id: "4242424242424242", amount: 4242424242424242 } } },
  { data: { object: { payment_intent: "4242424242424242", amount_total: 4242424242424242 } } },
  { data: { object: { payment_intent: { id: "4242424242424242" }, amount_received: 4242424242424242 } } },
  {
    data: { object: { metadata: { attempt_id: "4242424242424242", payment_order_id: "4242424242424242" } } },
  },
  {
    notificationItems: [
      {
        NotificationRequestItem: {
          pspReference: "4000056655665556",
          originalReference: "4242424242424242",
          merchantReference: "4242424242424242",
          amount: { value: 4242424242424242 },
        },
      },
    ],
  },
  { amount: "4242424242424242.00" },
])(
  "what an adapter reads to find a payment and its amount stays, though it looks like a card number: %j",
  (body) => {
    expect(withoutSensitiveData(JSON.stringify(body))).toBe(JSON.stringify(body));
    const grouped = JSON.stringify(body).replaceAll(
      /"(\d{4})(\d{4})(\d{4})(\d{4})(\.00)?"/g,
      '"$1 $2 $3 $4"',
    );
    if (grouped !== JSON.stringify(body))
      expect(withoutSensitiveData(grouped)).not.toMatch(/\d{4} \d{4} \d{4}/);
  },
);

test.for([
  '{"metadata": {"cvc": "123"}}',
  '{"metadata":{"security_code":"123"}}',
  '{"metadata":{"pin" : "1234"}}',
  '{"metadata":{"cid":1234}}',
  '{"pin":{"value":"1234"}}',
  '{"note":"4242\\n4242\\n4242\\n4242"}',
  '{"note":"4242\\u00204242\\t4242\\t4242"}',
  '{"url": "https://x/?c=4242%204242%204242%204242"}',
  '{"parts":["4242","4242","4242","4242"]}',
  '{"parts":[4242,"4242",4242,4242]}',
  '{"pair":["cvv","123"]}',
  '{"parts":["424242123",100,1999,6205500000000000004]}',
  '{"object":"4242424242424242"}',
  '{"customer_card_id":"4242424242424242"}',
  '{"card_reference":"4242424242424242"}',
  '{"card_key":"4242424242424242"}',
  '{"data.object.id":"4242424242424242"}',
  '{"data":{"object.id":"4242424242424242"}}',
  '{"id":["4242424242424242"]}',
  '{"4242424242424242":"x"}',
  '{"4242 4242 4242 4242":{"a":1},"4000056655665556":2}',
  '{"note":"4242424242424242","note":"x"}',
  '{"pan":6205500000000000004}',
  '{"pan":4.242424242424242e15}',
  '{"pan":-4242424242424242}',
  "4242424242424242",
  '"4242424242424242"',
])("card data is taken out of %s", (text) => {
  expect(withoutSensitiveData(text)).not.toMatch(/1234?"|1234?}|4242|55|4\.24/);
});

test("fields whose names were taken out keep their values apart", () => {
  const text = '{"4242424242424242":1,"a":2,"4000056655665556":{"b":3}}';
  expect(withoutSensitiveData(text)).toBe('{"[removed]":1,"a":2,"[removed 2]":{"b":3}}');
});

test.for([
  '{"redirect":{"url":"https://bank.example/x?client_secret=SECRET"}}',
  '{"return":"https://shop.example/?a=1&payment_intent_client_secret=SECRET&b=2"}',
  '{"return":"https://shop.example/?to=https%3A%2F%2Fx%2F%3Fclient_secret%3DSECRET"}',
  '{"note":"pi_1_secret_SECRET"}',
  '{"note":"see src_client_secret_SECRET, please"}',
  '{"note":"{\\"client_secret\\": \\"SECRET\\"}"}',
  '{"pi_1_secret_SECRET":1}',
  '{"object":"checkout.session","url":"https://pay.shop.example/c/pay/cs_live_SECRET#fid"}',
  '{"previous":["https://checkout.stripe.com/c/pay/cs_live_SECRET#fid"]}',
  '{"hosted_invoice_url":"https://pay.shop.example/i/SECRET"}',
  '{"note":"pay at https://invoice.stripe.com/i/SECRET?s=em"}',
  '{"note":"pay at https:\\/\\/checkout.stripe.com\\/c\\/SECRET"}',
  '{"secret":"SECRET"}',
  '{"next_action":{"type":"https://bank.example/SECRET"}}',
])("secrets and addresses are taken out of %s", (text) => {
  expect(withoutSensitiveData(text)).not.toContain("SECRET");
  expect(withoutSensitiveData(withoutSensitiveData(text))).toBe(withoutSensitiveData(text));
});

test("addresses that let nobody act stay", () => {
  const text =
    '{"refunds":{"object":"list","url":"/v1/charges/ch_1/refunds"},"receipt_url":"https://pay.stripe.com/receipts/x"}';
  expect(withoutSensitiveData(text)).toBe(text);
});

test("a body nested deeper than any real one is cut off, not answered with an error", () => {
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
  ] as const) {
    const text = open.repeat(100_000) + '"4242424242424242"' + close.repeat(100_000);
    expect(withoutSensitiveData(text)).not.toContain("4242");
  }
});

test("a megabyte of any kind is read in little time: the time grows with the length", () => {
  const bodies = [
    `{"a":"${"pi_".repeat(330_000)}"}`,
    `{"a":"${"client_secret".repeat(70_000)}"}`,
    `{"a":"client_secret${"\\\\".repeat(450_000)}"}`,
    `{"a":"${"https://checkout.stripe.com".repeat(35_000)}"}`,
    `{"${"n".repeat(500_000)}":[${'"4242424242424242",'.repeat(25_000)}{}]}`,
    `[${"1,".repeat(400_000)}1]`,
    `[${'"",'.repeat(300_000)}""]`,
    `{${'"a":1,'.repeat(150_000)}"a":1}`,
  ];
  for (const body of bodies) {
    const milliseconds = cpuMilliseconds(500, () => withoutSensitiveData(body));
    expect(milliseconds, `of ${body.slice(0, 40)}`).toBeLessThan(500);
  }
});

test("a member named __proto__ is one like any other", () => {
  expect(withoutSensitiveData('{"__proto__":{"id":1},"note":"4242424242424242"}')).toBe(
    '{"__proto__":{"id":1},"note":"[removed]"}',
  );
});

test("what lets a reader act for the buyer is taken out, wherever it stands", () => {
  const url = "https://hooks.example/3d/secret";
  const intent = {
    client_secret: "pi_1_secret_2",
    next_action: { type: "redirect_to_url", redirect_to_url: { url } },
  };
  const text = JSON.stringify({
    data: {
      object: { id: "pi_1", ...intent, last_payment_error: { payment_intent: intent } },
      previous_attributes: { next_action: { use_stripe_sdk: { url } }, setup: [{ clientSecret: "s" }] },
    },
  });
  const kept = { client_secret: "[removed]", next_action: { type: "redirect_to_url" } };
  expect(JSON.parse(withoutSensitiveData(text))).toEqual({
    data: {
      object: { id: "pi_1", ...kept, last_payment_error: { payment_intent: kept } },
      previous_attributes: { next_action: {}, setup: [{ clientSecret: "[removed]" }] },
    },
  });
  expect(withoutSensitiveData('{"client\\u005fsecret":"pi_1_secret_2","next_action":null}')).toBe(
    '{"client_secret":"[removed]","next_action":null}',
  );
});

test("an intent that waits for nothing is kept byte for byte", () => {
  const text = '{ "client_secret": null, "next_action" :null, "amount": 1e2 }';
  expect(withoutSensitiveData(text)).toBe(text);
});

test("a client secret is taken out of the text, whose other bytes stay", () => {
  const text = '{ "id": "pi_1", "Client_Secret" : "pi_1_secret_2", "setup_clientSecret":"", "amount": 1e2 }';
  expect(withoutSensitiveData(text)).toBe(
    '{ "id": "pi_1", "Client_Secret" : "[removed]", "setup_clientSecret":"[removed]", "amount": 1e2 }',
  );
});

test.for([
  '{"client_secret":"pi_1\\"_secret_2"}',
  '{"client_secret":42}',
  '{"client_secret":{"value":"pi_1_secret_2"}}',
  '{"client_secret":["pi_1_secret_2"]}',
])("a client secret in an unusual form is taken out too: %s", (text) => {
  expect(withoutSensitiveData(text)).not.toMatch(/secret_2|42/);
});
