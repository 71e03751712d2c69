import { AccountBalance, Problem } from "./answers.ts";
import { read, type Client } from "./client.ts";
import { authorized, bodyOf, currency } from "./fixtures.ts";
import type { Step } from "./step-context.ts";
import { pathOf } from "./steps-checkout.ts";

export const captureLater: Step = {
  title: "Authorised now, captured later",
  proves:
    "The card is only authorised. Each shipment captures its part, and the rest is released to the buyer.",
  async run({ client, report, checks }) {
    const { payment_order_id } = authorized;
    await client.post("/payments", { ...bodyOf(authorized), capture_method: "manual" });
    await client.waitForOrder(payment_order_id, "AUTHORIZED");
    checks.check(
      "80.00 is held, in the ledger too, and nothing is charged",
      [await balanceOf(client, "psp:stripe:authorized"), await client.countCharges(payment_order_id)],
      ["80.00", 0],
    );
    const replies = await Promise.all(
      ["shipment-1", "shipment-2"].map((capture_id) =>
        client.post(`/payments/${payment_order_id}/capture`, {
          capture_id,
          amount: "45.00",
          is_final: false,
        }),
      ),
    );
    const refusals = replies
      .filter(({ status }) => status !== 202)
      .map(({ status, text }) => [status, read(text, Problem).code]);
    checks.check(
      "two captures of 45.00 at once: one succeeds, the other is refused, 422 capture_exceeds_authorization",
      refusals,
      [[422, "capture_exceeds_authorization"]],
    );
    await client.waitForCapture(payment_order_id, "45.00");
    await client.post(`/payments/${payment_order_id}/cancel`);
    const order = await client.waitForOrder(payment_order_id, "SUCCESS");
    report.line(pathOf(order));
    checks.check(
      "the rest is released: 45.00 is paid, in one charge at the PSP, and nothing is held any more",
      [
        order.captured_amount,
        await client.countCharges(payment_order_id),
        await balanceOf(client, "psp:stripe:authorized"),
      ],
      ["45.00", 1, "0.00"],
    );
  },
};

async function balanceOf(client: Client, account: string): Promise<string> {
  return (await client.get(`/ledger/accounts/${account}/balance?currency=${currency}`, AccountBalance))
    .balance;
}
