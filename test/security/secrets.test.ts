import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkoutWaiting, acceptCheckout, card, orderIn, until } from "../api/requests.ts";
import { externalAccounts, newSecret, sendStatus, statusBody, statusHeaders } from "../api/statuses.ts";
import { sendStripe, stripeEvent, stripeSignature } from "../api/stripe-events.ts";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";

const card_number = "4242424242424242";
const secrets = { secret_key: "f3".repeat(24) + "Qz7", stripe: newSecret(), cash: newSecret() };
const environment = {
  SECRET_KEY: secrets.secret_key,
  PSP_STRIPE_WEBHOOK_SECRET: secrets.stripe,
  SIMULATOR_WEBHOOK_SECRET: secrets.stripe,
  MAX_RETRY_ATTEMPTS: "2",
  ...externalAccounts({ cash: secrets.cash }),
};

let stack: TestStack;
let talkative: ChildProcess;
let output = "";

/** The service again on the same port, with everything that it can log, and its output kept. */
beforeAll(async () => {
  stack = await startTestStack({ has_webhooks: true, environment });
  await stack.service.stop();
  talkative = spawn(process.execPath, ["src/main.ts", "run"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      ...environment,
      DATABASE_URL: stack.database_url,
      PORT: new URL(stack.service_url).port,
      OPERATIONS_PORT: String(await freePort()),
      PSP_STRIPE_SECRET_KEY: "sk_test_simulator",
      PSP_STRIPE_API_BASE: stack.simulator_url,
      LOG_LEVEL: "trace",
      RATE_LIMIT_PER_SECOND: "100000",
    },
  });
  for (const stream of [talkative.stdout, talkative.stderr])
    stream?.on("data", (chunk) => (output += String(chunk)));
  await until("the service is ready", () =>
    fetch(`${stack.service_url}/livez`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
});
afterAll(async () => {
  if (talkative.exitCode === null) {
    talkative.kill("SIGTERM");
    await once(talkative, "exit");
  }
  await stack.stopAll();
});

test("neither the log at its most talkative nor the database holds a secret or card data, whatever goes wrong", async () => {
  const key = await stack.db.createKey("shop", ["read", "write", "admin"]);
  const authorization = `Bearer ${key.token}`;
  const paid = await acceptCheckout(stack, {}, [{}]);
  const failed = await acceptCheckout(stack, card("tok_fault_once_500"));
  const html = await acceptCheckout(stack, card("tok_fault_html"));
  const challenged = await acceptCheckout(stack, card("tok_authenticationRequired"));
  await orderIn(stack, paid.order_ids[0], "SUCCESS");
  const waiting = await stack.waitForOrder(challenged.order_ids[0], ["PENDING"]);
  const client_secret = String((waiting["next_action"] as { client_secret: unknown } | null)?.client_secret);
  expect(client_secret).toMatch(/_secret_/);
  const led = await acceptCheckout(stack, {
    credit_card_info: { token: "tok_authenticationRequired", return_url: "https://shop.example/" },
  });
  const leading = await stack.waitForOrder(led.order_ids[0], ["PENDING"]);
  const bank_address = new URL(
    String((leading["next_action"] as { redirect_url: unknown } | null)?.redirect_url),
  ).pathname;
  expect(bank_address).toMatch(/3d_secure/);
  const page = await checkoutWaiting(stack, "wait=5", {
    credit_card_info: undefined,
    hosted_page: { return_url: "https://shop.example/" },
  });
  const status_url = String(page.reply.json["status_url"]);
  const token = new URL(status_url, stack.service_url).searchParams.get("token") ?? "";
  expect((await fetch(new URL(status_url, stack.service_url))).status).toBe(200);

  await stack.call("GET", "/payments", undefined, { authorization });
  await stack.call("GET", `/payments?api_key=${key.token}`, undefined, { authorization });
  for (const body of [
    { checkout_id: "c", card: card_number, cvv: "737" },
    `{"checkout_id": "${card_number}", `,
    `{"cvc": 737, "number": ${card_number}}`,
  ])
    await stack.call("POST", "/payments", body, { authorization });
  await stack.call("POST", "/payments", {}, { authorization, "idempotency-key": card_number });
  await stack.call("GET", `/payments/${card_number}`, undefined, { authorization });
  const event = stripeEvent(
    { attempt_id: "att_1", payment_order_id: "o", amount: 100 },
    { intent: { description: `card ${card_number}`, client_secret } },
  );
  await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, secrets.stripe) });
  await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, "whsec_wrong") });
  const body = statusBody({ payment_order_id: paid.order_ids[0], error: card_number });
  await sendStatus(stack, body, statusHeaders(body, secrets.cash));
  // The database refuses: its message would name the row.
  await stack.db.asOwner(
    "alter table risk_block_list add constraint broken check (reason <> 'a reason with 4242 4242')",
  );
  await stack.call(
    "POST",
    "/risk_blocks",
    { kind: "buyer", value: "b", reason: "a reason with 4242 4242" },
    { authorization },
  );
  await orderIn(stack, failed.order_ids[0], "SUCCESS", "EXECUTING", "UNKNOWN", "FAILED");
  await stack.waitForOrder(html.order_ids[0], ["EXECUTING", "UNKNOWN", "FAILED", "RETRY_SCHEDULED"]);
  await until(
    "the webhooks are read",
    async () => (await stack.db.asOwner("select 1 from webhook_inbox where state = 'received'")).length === 0,
  );
  talkative.kill("SIGTERM");
  await once(talkative, "exit");

  expect(output).toContain("access_refused");
  // What the service may not do in the job queue's tables, it does not try.
  expect(output).not.toContain("permission denied");
  const everywhere = {
    key: key.token,
    "development key": "Bearer sk_dev",
    "PSP's key": "sk_test_simulator",
    "secret key": secrets.secret_key,
    "webhook secret": secrets.stripe,
    "account's secret": secrets.cash,
    "database password": decodeURIComponent(new URL(stack.database_url).password),
    "card number": card_number,
  };
  const logged = {
    ...everywhere,
    "card token": "tok_",
    "client secret": client_secret,
    "status link": token,
    "e-mail": "alice@example.com",
    row: "a reason with 4242",
  };
  expect(
    Object.entries(logged)
      .filter(([, secret]) => output.includes(secret))
      .map(([name]) => name),
  ).toEqual([]);
  const stored = await storedText();
  expect(stored).toContain(paid.order_ids[0]);
  // The webhook that reports the challenge has both too.
  expect(stored).toContain("payment_intent.requires_action");
  expect(
    Object.entries({
      ...everywhere,
      "status link": token,
      "client secret": client_secret,
      "any client secret": "_secret_",
      "bank's address": bank_address,
    })
      .filter(([, secret]) => stored.includes(secret))
      .map(([name]) => name),
  ).toEqual([]);
});

async function storedText(): Promise<string> {
  const tables = await stack.db.asOwner(
    "select c.oid::regclass::text as name from pg_class c where relkind = 'r' and relnamespace in ('public'::regnamespace, 'pgboss'::regnamespace)",
  );
  const rows = await Promise.all(
    tables.map(({ name }) => stack.db.asOwner(`select t::text as row from ${String(name)} t`)),
  );
  return rows
    .flat()
    .map(({ row }) => String(row))
    .join("\n");
}
