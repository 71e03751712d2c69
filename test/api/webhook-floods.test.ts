import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { until } from "./requests.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

const secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: { PSP_STRIPE_WEBHOOK_SECRET: secret, TRUST_PROXY: "127.0.0.1" },
  });
});
afterAll(() => stack.stopAll());

type Held = { readonly socket: Socket; text: string };

/** A connection that sends most of a megabyte, without a signature, and never the rest. */
function hold(framing: "content-length" | "chunked", bytes: number, forwarded = "127.0.0.1"): Held {
  const { hostname, port } = new URL(stack.service_url);
  const head = framing === "chunked" ? "transfer-encoding: chunked" : "content-length: 1048576";
  const body =
    framing === "chunked" ? `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n` : "x".repeat(bytes);
  const held: Held = { socket: connect(Number(port), hostname), text: "" };
  held.socket.write(
    `POST /api/v1/webhooks/stripe HTTP/1.1\r\nhost: x\r\nx-forwarded-for: ${forwarded}\r\ncontent-type: application/json\r\n${head}\r\n\r\n${body}`,
  );
  held.socket.on("data", (chunk) => (held.text += String(chunk))).on("error", () => undefined);
  onTestFinished(() => void held.socket.destroy());
  return held;
}

const genuine = async (): Promise<number> => {
  const body = stripeEvent({ attempt_id: "att_none", payment_order_id: "none", amount: 1 });
  return (await sendStripe(stack, body, { "stripe-signature": stripeSignature(body, secret) })).status;
};

const cutOffBodies = async (): Promise<number> =>
  Number(
    /^pacioli_webhook_bodies_cut_off_total (\d+)$/m.exec(
      await (await fetch(`${stack.operationsUrl()}/metrics`)).text(),
    )?.[1],
  );

test.for(["content-length", "chunked"] as const)(
  "of 40 slow bodies of a megabyte (%s) 16 MiB are held, the oldest are cut off, and a genuine webhook from the same address gets in",
  async (framing) => {
    const before = await cutOffBodies();
    const held: Held[] = [];
    for (let index = 0; index < 40; index++) {
      held.push(hold(framing, 1_000_000));
      if (index % 10 === 9) expect(await genuine()).toBe(200);
    }
    await until("the oldest are cut off", async () => held.filter(({ text }) => text !== "").length >= 24);
    expect(await genuine()).toBe(200);
    const answered = held.filter(({ text }) => text !== "");
    expect(answered.length).toBeLessThanOrEqual(26);
    for (const { text } of answered) {
      expect(text).toMatch(/^HTTP\/1\.1 429 /);
      expect(text).toMatch(/^retry-after: 1\r$/m);
      expect(text).toMatch(/^content-type: application\/problem\+json/m);
      expect(text).toContain('"code":"concurrency_limited"');
    }
    expect((await cutOffBodies()) - before).toBe(answered.length);
  },
);

test("the addresses of one IPv6 /64 hold 16 MiB together, and leave room for others", async () => {
  const other = hold("content-length", 1_000_000, "2001:db8:1:1::1");
  const held: Held[] = [];
  for (let index = 0; index < 40; index++)
    held.push(hold("content-length", 1_000_000, `2001:db8:bad:1::${index.toString(16)}`));
  await until("the oldest are cut off", async () => held.filter(({ text }) => text !== "").length >= 24);
  expect(held.filter(({ text }) => text !== "").length).toBeLessThanOrEqual(26);
  expect(other.text).toBe("");
});

test("hundreds of webhooks that a PSP sends at once from one address all get in", async () => {
  const statuses = await Promise.all(Array.from({ length: 500 }, genuine));
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
});
