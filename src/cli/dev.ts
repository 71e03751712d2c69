import closeWithGrace from "close-with-grace";
import { messageOf } from "../errors.ts";
import { startStackFromEnvironment } from "./stack.ts";
import { watchStack } from "./watch-stack.ts";

const parent_poll_ms = 500;

/** `pacioli dev`: the whole stack kept running, with all a newcomer needs to take a first payment. */
export async function dev(): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const stack = await startStackFromEnvironment(print);
  const watch = watchStack(stack, print);
  const headers = "-H 'Authorization: Bearer sk_dev' -H 'Content-Type: application/json'";
  process.stdout.write(`
Pacioli answers at   ${stack.service_url}
API key              sk_dev
PSP simulator        ${stack.simulator_url}
OpenAPI              ${stack.service_url}/openapi.json
Health and metrics   ${stack.operationsUrl()}/readyz, /metrics

Take a first payment:

curl -s ${stack.service_url}/api/v1/payments ${headers} -d '{
  "checkout_id": "first-checkout",
  "buyer_info": {"user_id": "buyer_alice", "email": "alice@example.com"},
  "credit_card_info": {"token": "tok_visa_4242", "last4": "4242"},
  "payment_orders": [
    {"payment_order_id": "first-order", "seller_account": "seller_bob", "amount": "29.99", "currency": "USD"}
  ]
}'
curl -s ${stack.service_url}/api/v1/payments/first-order -H 'Authorization: Bearer sk_dev'

Ctrl-C stops everything.
`);
  let failure: string | undefined;
  const logger = { error: (error?: unknown) => process.stderr.write(`${messageOf(error)}\n`) };
  const { close } = closeWithGrace({ delay: 30_000, logger }, async () => {
    watch.stop();
    await stack.stop();
    if (failure !== undefined) throw new Error(failure);
  });
  void watch.failed.then((reason) => {
    failure = reason;
    close();
  });
  // A killed npm takes its shell with it, but does not tell us.
  const { ppid } = process;
  setInterval(() => {
    if (process.ppid !== ppid) close();
  }, parent_poll_ms).unref();
}
