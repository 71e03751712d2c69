import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import type Stripe from "stripe";
import { admin, openSimulator, session } from "../../simulator/src/testing.ts";
import { openBrowser } from "./browser.ts";

/** Card numbers by what they do on the page. */
export const cards = {
  paid: "4242 4242 4242 4242",
  no_funds: "4000 0000 0000 9995",
  three_d_secure: "4000 0027 6000 3184",
  three_d_secure_no_funds: "4000 0082 6000 3178",
} as const;

export type PaymentPages = {
  readonly url: string;
  readonly database_url: string;
  readonly stripe: Stripe;
  /** A session for $40.00 whose buyer comes back to the shop. */
  newSession(changes?: Partial<Stripe.Checkout.SessionCreateParams>): Promise<Stripe.Checkout.Session>;
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** The session's page in a tab of a new window. */
  visit(made: Stripe.Checkout.Session, options?: BrowserContextOptions): Promise<Page>;
  arrivesAtShop(page: Page, made: Stripe.Checkout.Session): Promise<void>;
  setFaults(faults: unknown): Promise<unknown>;
  /** How often the sessions' orders were really charged. */
  effects(): Promise<number>;
  /** All charges, the oldest first. */
  charges(): Promise<{ status: string; intent: string }[]>;
  /** Forgets all data and faults and closes all windows. */
  reset(): Promise<void>;
  stop(): Promise<void>;
};

/** Types a card into the payment page. */
export async function fillCard(page: Page, number: string): Promise<void> {
  await page.getByLabel("Card number").fill(number);
  await page.getByLabel("Expiry").fill("12 / 34");
  await page.getByLabel("Security code").fill("123");
  await page.getByLabel("Name on card").fill("Test Buyer");
}

/** Types a card into the payment page and pays. */
export async function payWith(page: Page, number: string): Promise<void> {
  await fillCard(page, number);
  await page.locator("button.pay").click();
}

/** A shop, the simulator in this process, and a browser. */
export async function startPaymentPages(): Promise<PaymentPages> {
  const simulator = await openSimulator({ session_seconds_min: 1 });
  const { stripe } = simulator;
  const shop = await startShop();
  const browser: Browser = await openBrowser();
  const contexts: BrowserContext[] = [];
  const newContext: PaymentPages["newContext"] = async (options) => {
    const context = await browser.newContext(options);
    contexts.push(context);
    return context;
  };
  return {
    url: simulator.url,
    database_url: simulator.database_url,
    stripe,
    newContext,
    newSession: (changes) =>
      stripe.checkout.sessions.create(
        session({
          success_url: `${shop.url}/done?session={CHECKOUT_SESSION_ID}`,
          cancel_url: `${shop.url}/cart`,
          payment_intent_data: { metadata: { attempt_id: "a1", checkout_id: "c1" } },
          ...changes,
        }),
      ),
    async visit(made, options) {
      const page = await (await newContext(options)).newPage();
      await page.goto(made.url ?? "");
      return page;
    },
    async arrivesAtShop(page, made) {
      const address = `**/thanks?session=${made.id}`;
      await page.waitForURL(address).catch(async (error: unknown) => {
        // A second click breaks the first one's navigation off.
        if (!String(error).includes("ERR_ABORTED")) throw error;
        await page.waitForURL(address);
      });
    },
    setFaults: (faults) => admin(simulator.url, "faults", faults),
    effects: async () => ((await admin(simulator.url, "effects?attempt_id=a1")) as { count: number }).count,
    async charges() {
      const { data } = await stripe.charges.list();
      return data
        .map(({ status, payment_intent }) => ({ status, intent: String(payment_intent) }))
        .toReversed();
    },
    async reset() {
      await Promise.all(contexts.splice(0).map((context) => context.close()));
      await admin(simulator.url, "reset", {});
    },
    async stop() {
      await browser.close();
      await shop.close();
      await simulator.close();
    },
  };
}

/** A shop that sends its returning buyers on to another address, as shops do. */
async function startShop(): Promise<{ url: string; close(): Promise<void> }> {
  const server = http.createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://shop");
    if (pathname === "/done") {
      const { port } = server.address() as AddressInfo;
      response.writeHead(302, { Location: `http://localhost:${port}/thanks${search}` }).end();
    } else {
      response.writeHead(200, { "Content-Type": "text/html" }).end(`<title>Shop</title><h1>${pathname}</h1>`);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
