import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  cards,
  fillCard,
  payWith,
  startPaymentPages,
  type PaymentPages,
} from "../../test/support/payment-page.ts";

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

test.each([320, 390, 1_280])(
  "at %i pixels nothing is wider than the screen, whatever things are called",
  async (width) => {
    const made = await pages.newSession({
      line_items: [
        "An ordinary name",
        "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen",
        "x".repeat(250),
      ].map((name) => ({
        quantity: 999,
        price_data: {
          currency: "usd",
          unit_amount: 33_300,
          product_data: { name, description: "y".repeat(300) },
        },
      })),
    });
    const page = await pages.visit(made, { viewport: { width, height: 700 }, isMobile: width < 500 });
    const overflow = (): Promise<number> =>
      page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
    expect(await overflow()).toBeLessThanOrEqual(0);
    await page.getByText("Test cards", { exact: true }).click();
    await page.getByRole("button", { name: /^Pay/ }).click();
    await page.getByText("Enter a test card number.").waitFor();
    expect(await overflow()).toBeLessThanOrEqual(0);
  },
);

test("by keyboard alone: a mistake, its correction, and 3-D Secure", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  const { keyboard } = page;
  const focused = (): Promise<string> =>
    page.evaluate("document.activeElement.name || document.activeElement.textContent");
  await keyboard.press("Tab");
  expect(await focused()).toBe("number");
  expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
  await keyboard.type("4000002760003184");
  expect(await page.getByLabel("Card number").inputValue()).toBe(cards.three_d_secure);
  await keyboard.press("Tab");
  await keyboard.type("120");
  await keyboard.press("Tab");
  await keyboard.type("123");
  await keyboard.press("Tab");
  await keyboard.type("Test Buyer");
  await keyboard.press("Enter");
  // The first field that is wrong has the focus and names its error.
  await page
    .getByText("This page has expired")
    .or(page.getByText("Enter the expiry date as month and year"))
    .waitFor();
  expect(await focused()).toBe("expiry");
  const expiry = page.getByLabel("Expiry");
  expect(await expiry.getAttribute("aria-invalid")).toBe("true");
  const error = page.locator(`#${await expiry.getAttribute("aria-describedby")}`);
  expect(await error.getAttribute("role")).toBe("alert");
  await keyboard.press("Control+A");
  await keyboard.type("1234");
  expect(await expiry.inputValue()).toBe("12 / 34");
  await keyboard.press("Tab");
  await keyboard.type("123");
  await keyboard.press("Shift+Tab");
  await keyboard.press("Shift+Tab");
  await keyboard.type("4000002760003184");
  for (let step = 0; step < 4; step += 1) await keyboard.press("Tab");
  expect(await focused()).toBe("Pay $40.00");
  await keyboard.press("Space");
  await page.getByRole("heading", { name: "Confirm your payment" }).waitFor();
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await pages.arrivesAtShop(page, made);
  expect(await pages.effects()).toBe(1);
});

test("without any script: an error, a decline, 3-D Secure and payment", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made, { javaScriptEnabled: false });
  await payWith(page, "1234");
  await page.getByText("A card number has 12 to 19 digits.").waitFor();
  await payWith(page, cards.no_funds);
  await page.getByRole("alert").getByText("Your card has insufficient funds.").waitFor();
  await payWith(page, cards.three_d_secure);
  await page.getByRole("button", { name: "Complete authentication" }).click();
  await pages.arrivesAtShop(page, made);
  expect(await pages.effects()).toBe(1);
});

test("hostile text is shown as text, and the page's policy lets no other script run", async () => {
  const hostile = `"><script>window.hacked=1</script><img src=x onerror="window.hacked=1">{{7*7}}`;
  const made = await pages.newSession({
    line_items: [
      {
        quantity: 1,
        price_data: {
          currency: "usd",
          unit_amount: 4_000,
          product_data: { name: hostile, description: hostile },
        },
      },
    ],
  });
  const page = await pages.visit(made);
  expect(await page.getByRole("listitem").first().innerText()).toContain(hostile);
  await page.getByLabel("Name on card").fill(hostile);
  await page.locator("button.pay").click();
  await page.getByText("Enter a test card number.").waitFor();
  expect(await page.getByLabel("Name on card").inputValue()).toBe(hostile);
  expect(await page.evaluate("window.hacked")).toBeUndefined();
  await page.evaluate(
    "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked=1'}))",
  );
  expect(await page.evaluate("window.hacked")).toBeUndefined();
});

test("the page loads nothing but itself", async () => {
  const made = await pages.newSession();
  const page = await (await pages.newContext()).newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(made.url ?? "", { waitUntil: "networkidle" });
  expect(asked.filter((url) => !url.startsWith("data:"))).toEqual([made.url]);
  expect(complaints).toEqual([]);
});

test("a real card number is refused and kept nowhere", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  const real = "4539578763621486";
  await fillCard(page, real);
  await page.getByLabel("Name on card").fill(real);
  await page.locator("button.pay").click();
  await page.getByText("The simulator takes no real cards").waitFor();
  expect((await page.content()).replaceAll(" ", "")).not.toContain(real);
  const client = new pg.Client({ connectionString: pages.database_url });
  await client.connect();
  const { rows: tables } = await client.query<{ table_name: string }>(
    "select table_name from information_schema.tables where table_schema = 'simulator'",
  );
  expect(tables.length).toBeGreaterThan(5);
  for (const { table_name } of tables) {
    const { rows } = await client.query(
      `select 1 from simulator.${table_name} t where replace(t::text, ' ', '') like $1`,
      [`%${real}%`],
    );
    expect(rows).toEqual([]);
  }
  await client.end();
  expect(await pages.charges()).toEqual([]);
});

test("a click on a test card fills the form", async () => {
  const made = await pages.newSession();
  const page = await pages.visit(made);
  await page.getByText("Test cards", { exact: true }).click();
  await page.getByRole("button", { name: cards.paid }).click();
  await page.keyboard.press("Enter");
  await pages.arrivesAtShop(page, made);
});

test("amounts are shown in the currency's own decimals", async () => {
  const shown = async (currency: string, unitAmount: number): Promise<string> => {
    const price_data = { currency, unit_amount: unitAmount, product_data: { name: "A" } };
    const page = await pages.visit(await pages.newSession({ line_items: [{ quantity: 1, price_data }] }));
    return page.getByRole("button", { name: /^Pay/ }).innerText();
  };
  expect(await shown("jpy", 1_999)).toBe("Pay ¥1,999");
  expect(await shown("kwd", 1_990)).toBe("Pay KWD\u00a01.990");
  expect(await shown("eur", 5)).toBe("Pay €0.05");
  expect(await shown("isk", 199_900)).toBe("Pay ISK\u00a01,999");
});

test("an address that is no payment page says so", async () => {
  const page = await (await pages.newContext()).newPage();
  for (const path of ["/c/pay/cs_test_nothing", "/c/pay/%00", "/c/elsewhere"]) {
    const answer = await page.goto(`${pages.url}${path}`);
    expect(answer?.status()).toBe(404);
    await page.getByText("There is no such payment page").waitFor();
  }
});
