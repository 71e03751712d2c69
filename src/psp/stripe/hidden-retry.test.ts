import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { attemptId } from "../../ids.ts";
import { toCurrencyCode } from "../../money/money.ts";
import type { ChargeRequest, Psp } from "../port.ts";
import { createStripe } from "./stripe.ts";

type Handler = Parameters<typeof createServer>[1];

/** A PSP of which the test decides how each connection ends. */
async function listen(handler: NonNullable<Handler>): Promise<{ server: Server; stripe: Psp }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stripe = createStripe({
    name: "stripe",
    secret_key: "sk_test",
    webhook_secrets: [],
    timeout_ms: 2_000,
    connections_max: 4,
    api_base: new URL(`http://127.0.0.1:${port}`),
  });
  return { server, stripe };
}

function request(): ChargeRequest {
  const id = `att_${randomUUID()}`;
  return {
    attempt_id: attemptId(id),
    psp_key: id,
    checkout_id: "c",
    payment_order_id: "o",
    money: { amount_minor: 100n, currency: toCurrencyCode("USD") },
    capture_method: "automatic",
    return_url: null,
    card_token: "tok_visa",
  };
}

test("a connection that broke after the request went out is unknown, also when the PSP is gone a moment later", async () => {
  let requests = 0;
  const { server, stripe } = await listen((incoming) => {
    requests += 1;
    // It has charged, and dies before it answers: whoever tries again finds nobody.
    server.close();
    incoming.socket.destroy();
  });
  expect((await stripe.charge(request())).kind).toBe("unknown");
  expect(requests).toBe(1);
});

test("a connection that broke after the request went out is unknown, also when the PSP asks to slow down a moment later", async () => {
  let requests = 0;
  const { server, stripe } = await listen((incoming, answer) => {
    requests += 1;
    if (requests === 1) return void incoming.socket.destroy();
    answer
      .writeHead(429, { "content-type": "application/json" })
      .end(
        JSON.stringify({
          error: { type: "invalid_request_error", code: "rate_limit", message: "slow down" },
        }),
      );
  });
  const outcome = await stripe.charge(request());
  server.close();
  expect(outcome.kind).toBe("unknown");
});
