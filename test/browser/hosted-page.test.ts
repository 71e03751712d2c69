import { createServer, type Server } from "node:http";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { acceptCheckout, orderIn, path, until, type SentCheckout } from "../api/requests.ts";
import { openBrowser } from "../support/browser.ts";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";

let stack: TestStack;
let browser: Browser;
let context: BrowserContext;
let shop: Server;
let return_url = "";
/** A page that nobody pays; its time runs while the other tests do. */
let expiring: OpenPage;
let expiring_context: BrowserContext;
/** The redirects that reached the shop. */
const redirects: URL[] = [];

beforeAll(async () => {
  const port = await freePort();
  return_url = `http://127.0.0.1:${port}/thanks?order=1`;
  shop = createServer((request, response) => {
    redirects.push(new URL(request.url ?? "/", return_url));
    response.setHeader("content-type", "text/html").end("<!doctype html><title>Shop</title><h1>Thanks</h1>");
  }).listen(port, "127.0.0.1");
  stack = await startTestStack({
    has_webhooks: true,
    environment: { SIMULATOR_SESSION_SECONDS_MIN: "1", HOSTED_PAGE_SECONDS: "12" },
  });
  browser = await openBrowser();
  expiring_context = await browser.newContext();
  expiring = await open(expiring_context);
  await fill(expiring.page, "4242424242424242");
  await orderIn(stack, expiring.checkout.order_ids[0], "PENDING");
});
afterAll(async () => {
  await expiring_context.close();
  await browser.close();
  shop.close();
  await stack.stopAll();
});
beforeEach(async () => {
  context = await browser.newContext();
  redirects.length = 0;
});
afterEach(() => context.close());

const twoSellers = [
  { amount: "10.00", seller_account: "seller_bob" },
  { amount: "5.55", seller_account: "seller_charlie" },
];

type OpenPage = { checkout: SentCheckout; page: Page; pageUrl: string; statusUrl: string };

async function open(of: BrowserContext = context): Promise<OpenPage> {
  const checkout = await acceptCheckout(
    stack,
    { credit_card_info: undefined, hosted_page: { return_url } },
    twoSellers,
  );
  const pageUrl = String(checkout.reply.json["hosted_page_url"]);
  const page = await of.newPage();
  await page.goto(pageUrl);
  return {
    checkout,
    page,
    pageUrl,
    statusUrl: stack.service_url + String(checkout.reply.json["status_url"]),
  };
}

async function fill(page: Page, number: string): Promise<void> {
  await page.getByLabel(/card number/i).fill(number);
  await page.getByLabel(/expir/i).fill("12 / 34");
  await page.getByLabel(/cvc|security code/i).fill("123");
  await page.getByLabel(/name/i).fill("Alice Example");
}

const pay = (page: Page): Promise<void> => page.getByRole("button", { name: /^pay/i }).click();

/** Both orders are paid by one charge, and each seller has its part. */
async function expectPaidOnce({ order_ids, checkout_id }: SentCheckout): Promise<void> {
  for (const id of order_ids)
    expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING PENDING SUCCESS");
  expect(await stack.effects(`checkout_id=${checkout_id}`)).toMatchObject({
    count: 1,
    amount_by_currency: { usd: 1_555 },
  });
  const entries = await stack.db.asOwner(
    `select a.code, e.amount_minor::text from ledger_entries e join ledger_accounts a using (account_id) join ledger_transactions t using (transaction_id)
      where t.kind = 'captured' and t.subject_id = any ($1) order by a.code, e.amount_minor`,
    [order_ids],
  );
  expect(entries).toEqual([
    { code: "psp:stripe:clearing", amount_minor: "555" },
    { code: "psp:stripe:clearing", amount_minor: "1000" },
    { code: "seller:seller_bob:pending", amount_minor: "-1000" },
    { code: "seller:seller_charlie:pending", amount_minor: "-555" },
  ]);
}

test("the nine steps: order, registration, page, card, charge, redirect, webhook, and the status page turns to paid by itself (R34 to R42)", async () => {
  const { checkout, page, statusUrl } = await open();
  const status = await context.newPage();
  await status.goto(statusUrl);
  await expect.poll(() => status.title()).toBe("Payment pending");
  await page.bringToFront();
  await fill(page, "4242 4242 4242 4242");
  await pay(page);
  await page.waitForURL(/\/thanks/);
  await expectPaidOnce(checkout);
  expect(Object.fromEntries(redirects[0]?.searchParams ?? [])).toEqual({
    order: "1",
    checkout_id: checkout.checkout_id,
    result: "success",
    token: expect.stringMatching(/^cs_/) as string,
  });
  await expect.poll(() => status.getByRole("status").textContent(), { timeout: 10_000 }).toBe("Paid");
  expect(await status.title()).toBe("Paid");
  expect((await stack.call("GET", `/checkouts/${checkout.checkout_id}`)).json).toMatchObject({
    is_payment_done: true,
  });
});

describe("one charge at most (R89)", () => {
  test("pay clicked twice", async () => {
    const { checkout, page } = await open();
    await fill(page, "4242424242424242");
    await page.getByRole("button", { name: /^pay/i }).dblclick();
    await page.waitForURL(/\/thanks/);
    await expectPaidOnce(checkout);
  });

  test("the same page in two tabs, both paid at once", async () => {
    const { checkout, page, pageUrl } = await open();
    const second = await context.newPage();
    await second.goto(pageUrl);
    await fill(page, "4242424242424242");
    await fill(second, "5555555555554444");
    await Promise.all([pay(page), pay(second)]);
    await Promise.all([page.waitForURL(/\/thanks/), second.waitForURL(/\/thanks/)]);
    await expectPaidOnce(checkout);
  });

  test("back from the shop and pay again", async () => {
    const { checkout, page } = await open();
    await fill(page, "4242424242424242");
    await pay(page);
    await page.waitForURL(/\/thanks/);
    await page.goBack();
    const button = page.getByRole("button", { name: /^pay/i });
    if (await button.isVisible()) {
      await fill(page, "4242424242424242");
      await button.click();
    }
    await expectPaidOnce(checkout);
  });
});

test("a declined card, then another one: the order waits meanwhile and is paid in the end", async () => {
  const { checkout, page } = await open();
  await fill(page, "4000000000000002");
  await pay(page);
  await page.getByRole("alert").first().waitFor();
  // The failed card's webhooks have come by now or come soon: they end nothing.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect((await orderIn(stack, checkout.order_ids[0], "PENDING")).status).toBe("PENDING");
  await fill(page, "4242424242424242");
  await pay(page);
  await page.waitForURL(/\/thanks/);
  await expectPaidOnce(checkout);
});

test("3-D Secure: paid after the bank's step", async () => {
  const { checkout, page } = await open();
  await fill(page, "4000002760003184");
  await pay(page);
  await page.getByRole("button", { name: "Complete authentication" }).click();
  await page.waitForURL(/\/thanks/);
  await expectPaidOnce(checkout);
});

test("a card token whose bank wants it confirmed: the status page leads there, and the buyer comes back to the shop with the order paid", async () => {
  const checkout = await acceptCheckout(stack, {
    credit_card_info: { token: "tok_authenticationRequired", return_url },
  });
  await orderIn(stack, checkout.order_ids[0], "PENDING");
  const { json } = await stack.call("GET", `/checkouts/${checkout.checkout_id}`);
  const status = await context.newPage();
  await status.goto(stack.service_url + String(json["status_url"]));
  await expect.poll(() => status.title()).toBe("Confirm your payment");
  await status.getByRole("link", { name: "Confirm with your bank" }).click();
  await status.getByRole("button", { name: "Complete authentication" }).click();
  await status.waitForURL(/\/thanks/);
  await orderIn(stack, checkout.order_ids[0], "SUCCESS");
  expect(await stack.effects(`checkout_id=${checkout.checkout_id}`)).toMatchObject({ count: 1 });
  await status.goto(stack.service_url + String(json["status_url"]));
  expect(await status.title()).toBe("Paid");
});

test("a status page that is open already shows the way to the bank as soon as the bank asks", async () => {
  await stack.setFaults({ latency_ms: 2_000 });
  const checkout = await acceptCheckout(stack, {
    credit_card_info: { token: "tok_authenticationRequired", return_url },
  });
  const { json } = await stack.call("GET", `/checkouts/${checkout.checkout_id}`);
  const status = await context.newPage();
  await status.goto(stack.service_url + String(json["status_url"]));
  expect(await status.title()).toBe("Payment pending");
  expect(await status.locator("#pay").isVisible()).toBe(false);
  await stack.setFaults({ latency_ms: 0 });
  await status.getByRole("link", { name: "Confirm with your bank" }).waitFor();
  expect(await status.title()).toBe("Confirm your payment");
  await status.close();
});

test("the tab is closed before the page has answered: the payment counts all the same", async () => {
  const { checkout, page } = await open();
  await fill(page, "4242424242424242");
  // Closed any sooner, the browser may not have sent anything yet.
  await stack.setFaults({ next: [{ fault: "slow", count: 1 }] });
  await page.getByRole("button", { name: /^pay/i }).focus();
  await page.keyboard.press("Enter");
  await until(
    "the PSP has charged",
    async () => (await stack.effects(`checkout_id=${checkout.checkout_id}`)).count === 1,
  );
  expect(page.url()).toContain("/c/pay/");
  await page.close();
  await expectPaidOnce(checkout);
});

test("every webhook is lost: the poller finds the payment", async () => {
  await stack.setFaults({ webhooks: { drop_rate: 1 } });
  const { checkout, page } = await open();
  await fill(page, "4242424242424242");
  await pay(page);
  await page.waitForURL(/\/thanks/);
  await expectPaidOnce(checkout);
  await stack.setFaults({ webhooks: { drop_rate: 0 } });
});

test("a redirect that claims success without a payment is only a page view: nothing is booked (R264)", async () => {
  const { checkout, page, statusUrl } = await open();
  await page.goto(`${return_url}&checkout_id=${checkout.checkout_id}&token=cs_1&result=success`);
  await page.goto(`${statusUrl}&result=success&payment_status=paid`);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(await page.title()).toBe("Payment pending");
  for (const id of checkout.order_ids) expect((await orderIn(stack, id, "PENDING")).status).toBe("PENDING");
  expect(await stack.effects(`checkout_id=${checkout.checkout_id}`)).toMatchObject({ count: 0 });
});

test("expiry while the page is open: pay is refused, the orders are canceled, the status page says so", async () => {
  const { checkout, page, statusUrl } = expiring;
  for (const id of checkout.order_ids) {
    await stack.waitForOrder(id, ["CANCELED"], 45);
    expect(path(await orderIn(stack, id, "CANCELED"))).toBe("NOT_STARTED EXECUTING PENDING CANCELED");
  }
  await pay(page);
  await page
    .getByText(/expired/i)
    .first()
    .waitFor();
  expect(await stack.effects(`checkout_id=${checkout.checkout_id}`)).toMatchObject({ count: 0 });
  await page.goto(statusUrl);
  expect(await page.title()).toBe("Payment expired");
}, 60_000);

test("the status page: on a phone nothing scrolls sideways, and without JavaScript it loads itself again", async () => {
  const { statusUrl } = await open();
  const phone = await browser.newContext({ viewport: { width: 320, height: 640 }, javaScriptEnabled: false });
  const page = await phone.newPage();
  await page.goto(statusUrl);
  expect(await page.title()).toBe("Payment pending");
  expect(await page.locator("meta[http-equiv=refresh]").count()).toBe(1);
  const box = await page.locator("main").boundingBox();
  expect((box?.x ?? -1) >= 0 && (box?.x ?? 0) + (box?.width ?? 1_000) <= 320).toBe(true);
  await phone.close();
});
