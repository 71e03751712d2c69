import { setTimeout as sleep } from "node:timers/promises";
import { Type } from "typebox";
import { sendUntilDecided, type ClientContext } from "./client.ts";
import { read } from "./http-client.ts";
import type { PageVisit, PlannedCheckout } from "./plan.ts";

const Accepted = Type.Object({ hosted_page_url: Type.String(), status_url: Type.String() });
const tries_max = 20;

/** What a buyer does on the PSP's page, and afterwards on our status page. Neither side is told by it that anything was paid. */
export async function visitPage(
  context: ClientContext,
  checkout: PlannedCheckout,
  visit: PageVisit,
): Promise<void> {
  const accepted = read(context.journal.accepted.get(checkout.checkout_id) ?? "", Accepted);
  // Held by risk rules that the user has set: then there is no page.
  if (accepted === undefined) return;
  if (visit.buyer === "is_declined_first") await type(context, accepted.hosted_page_url, "4000000000000002");
  if (visit.buyer !== "leaves") {
    const clicks = await Promise.all(
      Array.from({ length: visit.clicks }, () => payOn(context, accepted.hosted_page_url)),
    );
    const token = new URL(accepted.hosted_page_url).pathname.split("/").at(-1) ?? "";
    if (clicks.includes(true))
      for (const order of checkout.orders) context.journal.acted.set(order.payment_order_id, token);
  }
  if (visit.lies)
    await sendUntilDecided(context, "status_page", checkout.checkout_id, () =>
      context.http.status(`${accepted.status_url}&result=success&status=paid&session_id=cs_forged`),
    );
}

/** True when the page has sent the buyer on as one who paid. */
async function payOn(context: ClientContext, url: string): Promise<boolean> {
  for (let tries = 1; tries <= tries_max; tries++) {
    const { status, location } = await type(context, url, "4242424242424242");
    if (location?.includes("result=success") === true) return true;
    // Closed meanwhile.
    if (status === 410 || status === 404) return false;
    await sleep(200, undefined, { signal: context.signal });
  }
  return false;
}

const type = (
  context: ClientContext,
  url: string,
  number: string,
): ReturnType<ClientContext["http"]["page"]> =>
  context.http.page(url, { number, expiry: "12/34", cvc: "123", name: "Alice" });
