import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cards, payWith, startPaymentPages, type PaymentPages } from "../../test/support/payment-page.ts";
import { until } from "./testing.ts";

let pages: PaymentPages;

beforeAll(async () => {
  pages = await startPaymentPages();
});
afterAll(async () => {
  await pages.stop();
});
beforeEach(async () => {
  await pages.reset();
});

test("fault no_redirect: the order is paid and the browser never gets back to the shop", async () => {
  await pages.setFaults({ next: [{ fault: "no_redirect" }] });
  await pages.stripe.paymentIntents.create({
    amount: 100,
    currency: "usd",
    confirm: true,
    payment_method: "pm_card_visa",
    allowed_payment_method_types: ["card"],
  });
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await payWith(page, cards.paid);
  await page.getByText("Payment received").waitFor();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(page.url()).toBe(made.url);
  expect(await pages.stripe.checkout.sessions.retrieve(made.id)).toMatchObject({
    status: "complete",
    payment_status: "paid",
  });
  expect(await pages.effects()).toBe(1);
});

test("fault once_processing_error: the first try fails for a moment, the second one is paid", async () => {
  await pages.setFaults({ next: [{ fault: "once_processing_error", count: 2 }] });
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await payWith(page, cards.paid);
  await page.getByRole("alert").getByText("An error occurred while processing your card.").waitFor();
  await payWith(page, cards.paid);
  await pages.arrivesAtShop(page, made);
  expect(await pages.effects()).toBe(1);
});

test.each(["500_after_charge", "disconnect_after_charge", "truncated"])(
  "fault %s: who tries again is not charged again",
  async (fault) => {
    await pages.setFaults({ next: [{ fault }] });
    const made = await pages.newSession();
    const page = await pages.visit(made);
    await payWith(page, cards.paid);
    await until(async () => (await pages.effects()) === 1);
    const again = await pages.visit(made);
    await again.getByText("Payment received").waitFor();
    await again.getByRole("link", { name: "Return to the shop" }).click();
    await pages.arrivesAtShop(again, made);
    expect(await pages.effects()).toBe(1);
  },
);

test.each(["429", "500_before", "html"])(
  "fault %s: nothing is charged, and the next try is paid",
  async (fault) => {
    await pages.setFaults({ next: [{ fault }] });
    const made = await pages.newSession();
    const page = await pages.visit(made);
    const answer = page.waitForResponse((response) => response.request().method() === "POST");
    await payWith(page, cards.paid);
    expect((await answer).status()).toBe({ "429": 429, "500_before": 500, html: 502 }[fault]);
    expect(await pages.effects()).toBe(0);
    await page.goto(made.url ?? "");
    await payWith(page, cards.paid);
    await pages.arrivesAtShop(page, made);
    expect(await pages.effects()).toBe(1);
  },
);
