import { createHmac } from "node:crypto";
import Stripe from "stripe";
import { expect, test } from "vitest";
import { event, openStripe as open, reportIn, secrets } from "../../../test/support/stripe-events.ts";

const sdk = new Stripe("sk_test");
const signature = (payload: string, secret: string, ageSeconds = 0): string =>
  sdk.webhooks.generateTestHeaderString({
    payload,
    secret,
    timestamp: Math.floor(Date.now() / 1_000) - ageSeconds,
  });
const verify = (body: string, header: string | string[] | undefined, psp = open()): unknown =>
  psp.verifyWebhook(Buffer.from(body), header === undefined ? {} : { "stripe-signature": header });

const body = event("payment_intent.succeeded");
const verified = {
  psp_event_id: "evt_1",
  type: "payment_intent.succeeded",
  attempt_id: "att_1",
  payment_order_id: "order-1",
};

test.each(secrets)("a body signed with %s is genuine while both secrets are in use", (secret) => {
  expect(verify(body, signature(body, secret))).toEqual(verified);
});

test("an event without our metadata, or about another kind of object, is genuine and names no attempt", () => {
  for (const changes of [{ metadata: {} }, { metadata: undefined }, { metadata: null }]) {
    const other = event("charge.updated", changes);
    expect(verify(other, signature(other, "whsec_new"))).toEqual({
      psp_event_id: "evt_1",
      type: "charge.updated",
      attempt_id: null,
      payment_order_id: null,
    });
  }
});

test("what is forged, changed by a byte, stale, from the future, unsigned or no JSON is refused", () => {
  const good = signature(body, "whsec_new");
  const refused: [string, unknown][] = [
    ["another secret", verify(body, signature(body, "whsec_other"))],
    ["another body", verify(body.replace("1999", "1998"), good)],
    ["a space more", verify(`${body} `, good)],
    ["301 seconds old", verify(body, signature(body, "whsec_new", 301))],
    ["no signature", verify(body, undefined)],
    ["two headers", verify(body, [good, good])],
    ["an empty signature", verify(body, "")],
    ["nonsense", verify(body, "t=1,v1=zz")],
    ["no secrets", verify(body, good, open([]))],
    ["not text", open().verifyWebhook(Buffer.from([0xff, 0xfe]), { "stripe-signature": good })],
  ];
  expect(refused.filter(([, result]) => result !== undefined)).toEqual([]);
});

test("a byte-order mark that nobody signed makes the message a forgery, and one that was signed is part of the body", () => {
  const marked = `\ufeff${body}`;
  expect(verify(marked, signature(body, "whsec_new"))).toBeUndefined();
  expect(() => verify(marked, signature(marked, "whsec_new"))).toThrow(/genuine/);
});

test("bytes that are not UTF-8 are not taken for the text that they would be shown as", () => {
  const shown = body.replace("order-1", "order-\ufffd");
  const sent = Buffer.from(shown.replace("\ufffd", "\u00ff"), "latin1");
  expect(
    open().verifyWebhook(Buffer.from(shown), { "stripe-signature": signature(shown, "whsec_new") }),
  ).toMatchObject({ payment_order_id: "order-\ufffd" });
  expect(open().verifyWebhook(sent, { "stripe-signature": signature(shown, "whsec_new") })).toBeUndefined();
});

test("a time that stands twice, has a sign, or is no number is refused, whichever of them was signed", () => {
  const good = signature(body, "whsec_new");
  const time = Math.floor(Date.now() / 1_000);
  const signedAt = (text: string): string =>
    createHmac("sha256", "whsec_new").update(`${text}.${body}`).digest("hex");
  expect(verify(body, `t=${time},v1=${signedAt(String(time))}`)).toEqual(verified);
  for (const text of [
    `+${time}`,
    `-${time}`,
    `${time}.0`,
    `${time}e0`,
    `0x${time.toString(16)}`,
    ` ${time}`,
    `${time}=1`,
    "NaN",
    "Infinity",
    "",
    "9".repeat(13),
  ]) {
    expect(verify(body, `t=${text},v1=${signedAt(text)}`), text).toBeUndefined();
    expect(verify(body, `t=${text},v1=${signedAt(String(time))}`), text).toBeUndefined();
  }
  const old = time - 86_400;
  for (const header of [
    `t=${time},${good}`,
    `${good},t=${time}`,
    `t=${time},t=${old},v1=${signedAt(String(old))}`,
    `t=${old},t=${time},v1=${signedAt(String(old))}`,
  ]) {
    expect(verify(body, header), header).toBeUndefined();
  }
});

test("a signature with letters behind it, in capitals or cut off is refused", () => {
  const good = signature(body, "whsec_new");
  for (const header of [
    `${good}zz`,
    `${good}00`,
    good.slice(0, -2),
    good.replace(/v1=.*/, (hex) => hex.toUpperCase().replace("V1", "v1")),
  ]) {
    expect(verify(body, header), header).toBeUndefined();
  }
});

test.each([
  ["a bare text", '"ok"'],
  ["a number", "7"],
  ["null", "null"],
  ["a list", "[]"],
  ["an empty object", "{}"],
  ["no JSON", "{"],
  ["nothing", ""],
  ["no id", '{"type":"payment_intent.succeeded"}'],
  ["an empty id", '{"id":"","type":"a"}'],
  ["an id that is a number", '{"id":1,"type":"a"}'],
  ["an id of 3,000 characters", `{"id":"${"x".repeat(3_000)}","type":"a"}`],
  ["NUL in its id", '{"id":"evt_\\u0000","type":"a"}'],
  ["half a character in its id", '{"id":"evt_\\ud800","type":"a"}'],
  ["no type", '{"id":"evt_1"}'],
  ["a type of 129 characters", `{"id":"evt_1","type":"${"x".repeat(129)}"}`],
])("a genuine body that is %s is refused as what it is, not as a forgery", (_, text) => {
  expect(() => verify(text, signature(text, "whsec_new"))).toThrow(
    expect.objectContaining({ code: "invalid_request" }),
  );
});

test.each([
  [
    "v2.core.event",
    { id: "evt_1", object: "v2.core.event", type: "v1.billing.meter.no_meter_found", related_object: null },
  ],
  ["an event without data", { id: "evt_1", type: "payment_intent.succeeded" }],
  ["an event whose data is null", { id: "evt_1", type: "payment_intent.succeeded", data: null }],
  [
    "an event whose object is a text",
    { id: "evt_1", type: "checkout.session.completed", data: { object: "cs_1" } },
  ],
  [
    "metadata that is a list",
    { id: "evt_1", type: "payment_intent.succeeded", data: { object: { metadata: ["att_1"] } } },
  ],
  [
    "an attempt that is a number",
    { id: "evt_1", type: "payment_intent.succeeded", data: { object: { metadata: { attempt_id: 1 } } } },
  ],
  [
    "an attempt of 65 characters",
    {
      id: "evt_1",
      type: "payment_intent.succeeded",
      data: { object: { metadata: { attempt_id: "a".repeat(65) } } },
    },
  ],
])("%s is genuine, names no attempt and reports nothing", (_, odd) => {
  const text = JSON.stringify(odd);
  expect(verify(text, signature(text, "whsec_new"))).toEqual({
    psp_event_id: "evt_1",
    type: odd.type,
    attempt_id: null,
    payment_order_id: null,
  });
  expect(open().readWebhook(text, "automatic")).toBeNull();
});

test.each([
  "charge.refunded",
  "charge.refund.updated",
  "refund.created",
  "charge.dispute.created",
  "payout.paid",
  "transfer.reversed",
  "radar.early_fraud_warning.created",
])("%s is kept for a version that applies it", (type) => {
  expect(reportIn(type)).toBe("unsupported");
});

test("a message of almost five minutes is still taken", () => {
  expect(verify(body, signature(body, "whsec_new", 290))).toEqual(verified);
});
