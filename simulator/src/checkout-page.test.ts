import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  cards,
  fillCard,
  payWith,
  startPaymentPages,
  type PaymentPages,
} from "../../test/support/payment-page.ts";
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

test("a buyer pays and comes back to the shop, through the shop's own redirect to another address", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  expect(await page.getByRole("heading", { level: 1 }).innerText()).toContain("$40.00");
  expect(await page.getByRole("listitem").first().innerText()).toContain("$15.00");
  await payWith(page, cards.paid);
  await pages.arrivesAtShop(page, made);
  expect(await pages.effects()).toBe(1);
  expect(await pages.stripe.checkout.sessions.retrieve(made.id)).toMatchObject({
    status: "complete",
    payment_status: "paid",
  });
});

test("a declined buyer reads why, and pays with another card: two tries of one intent, one charge", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await payWith(page, cards.no_funds);
  const alert = page.getByRole("alert");
  await alert.waitFor();
  expect(await alert.innerText()).toContain("Your card has insufficient funds.");
  expect(await page.evaluate("document.activeElement.id")).toBe("failure");
  expect(await page.getByLabel("Card number").getAttribute("aria-describedby")).toBe("failure");
  expect(await page.getByLabel("Card number").inputValue()).toBe("");
  expect(await page.content()).not.toContain("9995 ");
  expect(await pages.stripe.checkout.sessions.retrieve(made.id)).toMatchObject({
    status: "open",
    payment_status: "unpaid",
  });
  await payWith(page, cards.paid);
  await pages.arrivesAtShop(page, made);
  const [failed, paid, ...more] = await pages.charges();
  expect([failed?.status, paid?.status, more]).toEqual(["failed", "succeeded", []]);
  expect(failed?.intent).toBe(paid?.intent);
  expect(await pages.effects()).toBe(1);
});

test("a 3-D Secure card is charged when the authentication is completed, and not before", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await payWith(page, cards.three_d_secure);
  await page.getByRole("heading", { name: "Confirm your payment" }).waitFor();
  expect(await pages.effects()).toBe(0);
  const { payment_intent } = await pages.stripe.checkout.sessions.retrieve(made.id, {
    expand: ["payment_intent"],
  });
  expect(payment_intent).toMatchObject({ status: "requires_action" });
  await page.getByRole("button", { name: "Complete authentication" }).click();
  await pages.arrivesAtShop(page, made);
  expect(await pages.effects()).toBe(1);
});

test("a buyer who fails the authentication comes back to the form, uncharged, and pays with another card", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await payWith(page, cards.three_d_secure);
  await page.getByRole("button", { name: "Fail authentication" }).click();
  await page.getByRole("alert").getByText("Your bank could not confirm that it is you.").waitFor();
  const { payment_intent } = await pages.stripe.checkout.sessions.retrieve(made.id, {
    expand: ["payment_intent"],
  });
  expect(payment_intent).toMatchObject({
    status: "requires_payment_method",
    latest_charge: null,
    last_payment_error: { code: "payment_intent_authentication_failure", type: "invalid_request_error" },
  });
  await payWith(page, cards.paid);
  await pages.arrivesAtShop(page, made);
  expect((await pages.charges()).map(({ status }) => status)).toEqual(["succeeded"]);
  expect(await pages.effects()).toBe(1);
});

test("a 3-D Secure card without funds is declined after the authentication", async () => {
  const page = await pages.visit(await pages.newSession());
  await payWith(page, cards.three_d_secure_no_funds);
  await page.getByRole("button", { name: "Complete authentication" }).click();
  await page.getByRole("alert").getByText("Your card has insufficient funds.").waitFor();
  expect(await pages.effects()).toBe(0);
});

test.each([true, false])(
  "a second click while the first is on its way pays nothing more (script: %s)",
  async (javaScriptEnabled) => {
    const made = await pages.newSession();
    const page = await pages.visit(made, { javaScriptEnabled });
    await fillCard(page, cards.paid);
    await pages.setFaults({ latency_ms: 150 });
    let posts = 0;
    page.on("request", (request) => (posts += request.method() === "POST" ? 1 : 0));
    const { x, y } = (await page.locator("button.pay").boundingBox()) ?? { x: 0, y: 0 };
    await page.mouse.click(x + 20, y + 20);
    await page.waitForTimeout(50);
    await page.mouse.click(x + 20, y + 20);
    await pages.arrivesAtShop(page, made);
    expect(posts).toBe(javaScriptEnabled ? 1 : 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await pages.effects()).toBe(1);
    expect(await pages.charges()).toHaveLength(1);
  },
);

test("in two tabs at the same moment the order is paid once, and both end at the shop", async () => {
  const made = await pages.newSession();
  const context = await pages.newContext();
  const tabs = await Promise.all([context.newPage(), context.newPage()]);
  await Promise.all(tabs.map((tab) => tab.goto(made.url ?? "")));
  await Promise.all(tabs.map((tab) => fillCard(tab, cards.paid)));
  await Promise.all(tabs.map((tab) => tab.getByRole("button", { name: "Pay $40.00" }).click()));
  await Promise.all(tabs.map((tab) => pages.arrivesAtShop(tab, made)));
  expect(await pages.effects()).toBe(1);
  expect(await pages.charges()).toHaveLength(1);
});

test("a tab left at the authentication does not charge once another tab has paid", async () => {
  const made = await pages.newSession();
  const context = await pages.newContext();
  const [first, second] = [await context.newPage(), await context.newPage()];
  await first.goto(made.url ?? "");
  await payWith(first, cards.three_d_secure);
  await first.getByRole("button", { name: "Complete authentication" }).waitFor();
  await second.goto(made.url ?? "");
  await payWith(second, cards.paid);
  await pages.arrivesAtShop(second, made);
  await first.getByRole("button", { name: "Complete authentication" }).click();
  await pages.arrivesAtShop(first, made);
  expect(await pages.effects()).toBe(1);
});

test("an authentication is only good for the card it was asked for", async () => {
  const made = await pages.newSession();
  const context = await pages.newContext();
  const [first, second] = [await context.newPage(), await context.newPage()];
  for (const tab of [first, second]) {
    await tab.goto(made.url ?? "");
    await payWith(tab, tab === first ? cards.three_d_secure : cards.three_d_secure_no_funds);
    await tab.getByRole("button", { name: "Complete authentication" }).waitFor();
  }
  await first.getByRole("button", { name: "Complete authentication" }).click();
  await first.getByText("ending in 3178").waitFor();
  expect(await pages.charges()).toEqual([]);
});

test("who pays, goes back and pays again is not charged again", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await payWith(page, cards.paid);
  await pages.arrivesAtShop(page, made);
  await page.goBack();
  // Whether the browser shows the page from its memory or asks again is its own business.
  const pay = page.getByRole("button", { name: "Pay $40.00" });
  if (await pay.isVisible()) await payWith(page, cards.paid);
  else await page.getByRole("link", { name: "Return to the shop" }).click();
  await pages.arrivesAtShop(page, made);
  expect(await pages.effects()).toBe(1);
});

test("a form that was kept from before the payment leads to the shop and charges nothing", async () => {
  const made = await pages.newSession();
  const old = await pages.visit(made);
  await fillCard(old, cards.paid);
  const page = await pages.visit(made);
  await payWith(page, cards.paid);
  await pages.arrivesAtShop(page, made);
  await old.getByRole("button", { name: "Pay $40.00" }).click();
  await pages.arrivesAtShop(old, made);
  expect(await pages.effects()).toBe(1);
});

test("cancel leads back to the shop and leaves the session open", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await page.getByRole("link", { name: "Cancel and return to" }).click();
  await page.waitForURL("**/cart");
  expect(await pages.stripe.checkout.sessions.retrieve(made.id)).toMatchObject({
    status: "open",
    payment_intent: null,
  });
});

test("a page that expires while it is open takes no card any more", async () => {
  const made = await pages.newSession({ expires_at: Math.floor(Date.now() / 1_000) + 3 });
  const page = await pages.visit(made);
  await fillCard(page, cards.paid);
  await until(() => Date.now() >= made.expires_at * 1_000);
  await page.locator("button.pay").click();
  expect(await page.getByRole("alert").innerText()).toContain("This page has expired");
  expect(await page.getByRole("alert").innerText()).toContain("You have not been charged.");
  await page.getByRole("link", { name: "Return to the shop" }).click();
  await page.waitForURL("**/cart");
  expect(await pages.effects()).toBe(0);
  expect(await pages.stripe.checkout.sessions.retrieve(made.id)).toMatchObject({ status: "expired" });
});
