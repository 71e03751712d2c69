import { expect, test } from "vitest";
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

test("ids and references by which a payment is found stay, though they look like card numbers", () => {
  const text = JSON.stringify({
    id: "4242424242424242",
    pspReference: "8600000000000008",
    merchantReference: "4242424242424242",
    payment_order_id: "4242424242424242",
  });
  expect(withoutSensitiveData(text)).toBe(text);
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
