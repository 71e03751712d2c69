import type { NextActionView, checkoutView } from "../payments/payments.ts";

/** What a buyer is told about a checkout. */
export type BuyerState =
  | "pending"
  | "action_needed"
  | "paid"
  | "partly_paid"
  | "failed"
  | "expired"
  | "canceled";

type CheckoutShown = ReturnType<typeof checkoutView>;
type OrdersShown = {
  readonly payment_orders: readonly Pick<CheckoutShown["payment_orders"][number], "status" | "error_code">[];
};

/** Only our own records count: what a redirect said is never looked at. */
function buyerState({ payment_orders: orders }: OrdersShown, next: NextActionView | null): BuyerState {
  const paid = orders.filter((order) => order.status === "SUCCESS").length;
  if (paid === orders.length) return "paid";
  const isFinal = orders.every((order) => ["SUCCESS", "FAILED", "CANCELED"].includes(order.status));
  if (!isFinal) return next !== null && next.type !== "hosted_page" ? "action_needed" : "pending";
  if (paid > 0) return "partly_paid";
  if (orders.some((order) => order.status === "FAILED")) return "failed";
  return orders.some((order) => order.error_code === "expired") ? "expired" : "canceled";
}

const words: Readonly<Record<BuyerState, { readonly title: string; readonly text: string }>> = {
  pending: { title: "Payment pending", text: "We are waiting for the payment. This page updates by itself." },
  action_needed: {
    title: "Confirm your payment",
    text: "Your bank asks you to confirm it. You have not been charged yet.",
  },
  paid: { title: "Paid", text: "Thank you. The payment has arrived." },
  partly_paid: { title: "Partly paid", text: "Some of the orders could not be paid; the others have been." },
  failed: { title: "Payment failed", text: "The payment did not go through. You have not been charged." },
  expired: { title: "Payment expired", text: "The time to pay ran out. You have not been charged." },
  canceled: { title: "Payment canceled", text: "The payment was canceled. You have not been charged." },
};

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => escapes[character] ?? character);

export type StatusShown = {
  readonly state: BuyerState;
  readonly title: string;
  readonly text: string;
  readonly is_final: boolean;
  /** Where the buyer goes on. */
  readonly next_url: string | null;
  readonly next_label: string | null;
};

/** What the page's script shows and reads again every second and a half. */
export function statusOf(checkout: OrdersShown, next: NextActionView | null): StatusShown {
  const state = buyerState(checkout, next);
  const isFinal = state !== "pending" && state !== "action_needed";
  const next_url = isFinal ? null : (next?.redirect_url ?? null);
  const label = state === "action_needed" ? "Confirm with your bank" : "Go to the payment page";
  const isShopsStep = state === "action_needed" && next_url === null;
  const text = isShopsStep
    ? "Your bank asks you to confirm it: go back to the shop's page."
    : words[state].text;
  const next_label = next_url === null ? null : label;
  return { state, title: words[state].title, text, is_final: isFinal, next_url, next_label };
}

/** The page, with a script and style of its own only; without the script it loads itself again. */
export function statusPage(status: StatusShown, checkout: CheckoutShown, nonce: string): string {
  const rows = checkout.payment_orders.map(orderRow).join("");
  const link = (href: string | null, text: string | null, id: string): string =>
    href === null ? `<a id="${id}" hidden></a>` : `<a id="${id}" href="${escaped(href)}">${text ?? ""}</a>`;
  const pay = link(status.next_url, status.next_label, "pay");
  const back = link(checkout.return_url, "Back to the shop", "back");
  return htmlPage({
    title: status.title,
    nonce,
    head: status.is_final ? "" : '<noscript><meta http-equiv="refresh" content="3"></noscript>',
    body: `<main data-state="${status.state}">
<div class="mark" aria-hidden="true"></div>
<h1 id="title" role="status">${status.title}</h1>
<p id="text">${status.text}</p>
<ul>${rows}</ul>
<nav>${pay}${back}</nav>
</main>
${status.is_final ? "" : `<script nonce="${nonce}">${script}</script>`}`,
  });
}

function orderRow({ payment_order_id, amount, currency }: CheckoutShown["payment_orders"][number]): string {
  const money = `${escaped(amount)} ${escaped(currency)}`;
  return `<li><span>${escaped(payment_order_id)}</span><span>${money}</span></li>`;
}

/** The page for a wrong, expired or revoked link. */
export function closedLinkPage(
  error: { readonly code: string; readonly message: string },
  nonce: string,
): string {
  const title = error.code === "link_expired" ? "This link is closed" : "This link does not work";
  return htmlPage({
    title,
    nonce,
    head: "",
    body: `<main data-state="closed">\n<h1>${title}</h1>\n<p>${escaped(error.message)}</p>\n</main>`,
  });
}

function htmlPage({
  title,
  nonce,
  head,
  body,
}: {
  readonly title: string;
  readonly nonce: string;
  readonly head: string;
  readonly body: string;
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
${head}
<style nonce="${nonce}">${style}</style>
</head>
<body>
${body}
</body>
</html>`;
}

const script = `
const main = document.querySelector("main");
async function look() {
  try {
    const answer = await fetch(location.pathname + "/state" + location.search, { cache: "no-store" });
    if (answer.status === 410) location.reload();
    if (!answer.ok) return;
    const now = await answer.json();
    const next = document.getElementById("pay");
    if (now.next_url === null) next.removeAttribute("href");
    else next.href = now.next_url;
    next.hidden = now.next_url === null;
    next.textContent = now.next_label ?? "";
    if (now.state === main.dataset.state) return;
    main.dataset.state = now.state;
    document.title = now.title;
    document.getElementById("title").textContent = now.title;
    document.getElementById("text").textContent = now.text;
    if (now.is_final) clearInterval(timer);
  } catch { /* offline for a moment: the next look may succeed */ }
}
const timer = setInterval(look, 1500);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
`;

const style = `
:root {
  color-scheme: light dark;
  --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --paper: #fff; --ground: #f6f8fa; --tone: #9a6700;
}
@media (prefers-color-scheme: dark) { :root {
  --ink: #f0f6fc; --soft: #9198a1; --line: #3d444d; --paper: #151b23; --ground: #0d1117; --tone: #d29922;
} }
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
}
main {
  width: min(26rem, 100%); padding: 2rem 1.5rem;
  background: var(--paper); border: 1px solid var(--line); border-radius: .75rem;
}
[data-state=paid] { --tone: #1a7f37; }
[data-state=failed], [data-state=expired], [data-state=canceled] { --tone: #d1242f; }
.mark {
  width: 2.5rem; height: 2.5rem; border-radius: 50%; border: .25rem solid var(--tone); margin-bottom: 1rem;
}
[data-state=pending] .mark { border-right-color: transparent; animation: turn 1.2s linear infinite; }
[data-state=paid] .mark { background: var(--tone); }
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .mark { animation: none !important; } }
h1 { font-size: 1.5rem; margin: 0; }
p { margin: .25rem 0 1.5rem; color: var(--soft); }
ul { list-style: none; margin: 0 0 1.5rem; padding: 0; border-top: 1px solid var(--line); }
li {
  display: flex; justify-content: space-between; gap: 1rem; padding: .6rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere;
}
li span:last-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
nav { display: flex; flex-wrap: wrap; gap: .75rem; }
a {
  padding: .55rem 1rem; border: 1px solid var(--line); border-radius: .5rem;
  color: var(--ink); text-decoration: none;
}
a[hidden] { display: none; }
a:focus-visible { outline: 3px solid #0969da; outline-offset: 2px; }
#pay { background: #0969da; border-color: #0969da; color: #fff; }
`;
