import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { CARD_FIELDS, type CardField, type FieldErrors, type ShownAgain } from "./checkout-card-form.ts";
import { amountText } from "./currencies.ts";
import type { IntentRecord, SessionLine, SessionRecord } from "./records.ts";
import { html, NOTHING, trusted, type Html } from "./safe-html.ts";
import { cardDetails, cardNamed } from "./cards.ts";

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' " +
  "rx='8' fill='%23115e59'/%3E%3Cpath d='M6 11h20v3H6zm0 7h8v3H6z' fill='%23fff'/%3E%3C/svg%3E";

const LABELS: Readonly<Record<CardField, string>> = {
  number: "Card number",
  expiry: "Expiry",
  cvc: "Security code",
  name: "Name on card",
};

/** Shown for a click; every number of the simulator's table is taken. */
const TEST_CARDS: readonly (readonly [string, string])[] = [
  ["4242 4242 4242 4242", "Paid"],
  ["4000 0027 6000 3184", "3-D Secure"],
  ["4000 0000 0000 0002", "Declined"],
  ["4000 0000 0000 9995", "No funds"],
  ["4000 0000 0000 0119", "Error"],
];

/** What the card form shows beside the order. */
export interface FormState {
  again?: ShownAgain;
  errors?: FieldErrors;
  /** Why the last try failed and what to do, for people. */
  failure?: { title: string; advice: string };
}

/** A whole document and the policy it is sent with. */
export interface Document {
  body: string;
  policy: string;
}

const style = await readFile(new URL("checkout-page.css", import.meta.url), "utf8");
const script = await readFile(new URL("checkout-page.mjs", import.meta.url), "utf8");

function source(text: string): string {
  return `'sha256-${hash("sha256", text, "base64")}'`;
}

/**
 * Nothing is loaded from anywhere, and only our own style and script run. `form-action` cannot be 'self':
 * browsers hold the redirect to the shop, and the shop's own further ones, against it.
 */
const POLICY = [
  "default-src 'none'",
  `style-src ${source(style)}`,
  `script-src ${source(script)}`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'self' http: https:",
  "frame-ancestors 'none'",
].join("; ");

function page(title: string, main: Html): Document {
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="${trusted(ICON)}">
<style>${trusted(style)}</style>
</head>
<body>
<header class="notice">
<p><strong>Simulator.</strong> No money moves here. Use test cards only: real card numbers are refused.</p>
</header>
${main}
<script type="module">${trusted(script)}</script>
</body>
</html>
`;
  return { body: markup, policy: POLICY };
}

function hostOf(url: string): string {
  return new URL(url).host;
}

function line({ name, description, unit_amount, quantity }: SessionLine, currency: string): Html {
  const each =
    quantity === 1
      ? NOTHING
      : html`<span class="detail">${quantity} × ${amountText(unit_amount, currency)}</span>`;
  const more =
    description === undefined ? NOTHING : html`<span class="detail"><bdi>${description}</bdi></span>`;
  return html`<li><span class="what"><bdi>${name}</bdi>${more}${each}</span>
<span class="amount">${amountText(unit_amount * quantity, currency)}</span></li>
`;
}

function order(session: SessionRecord): Html {
  const { amount_total, currency, lines } = session;
  return html`<section class="order" aria-labelledby="order-title">
<h1 id="order-title"><span class="payee">Pay <bdi>${hostOf(session.success_url)}</bdi></span>
<span class="total">${amountText(amount_total, currency)}</span></h1>
<ul class="lines">
${lines.map((one) => line(one, currency))}</ul>
<p class="sum"><span>Total <abbr>${currency.toUpperCase()}</abbr></span>
<span class="amount">${amountText(amount_total, currency)}</span></p>
</section>
`;
}

function input(name: CardField, attributes: Html, { errors = {}, failure }: FormState): Html {
  const error = errors[name];
  const isFirst = CARD_FIELDS.find((one) => errors[one] !== undefined) === name;
  const afterFailure =
    failure === undefined || name !== "number" ? NOTHING : html` aria-describedby="failure"`;
  const state =
    error === undefined
      ? afterFailure
      : html` aria-invalid="true" aria-describedby="${name}-error"${isFirst ? html` autofocus` : NOTHING}`;
  // A browser must not offer the buyer's real cards here: no autocomplete.
  return html`<div class="field ${name}">
<label for="${name}">${LABELS[name]}</label>
<input id="${name}" name="${name}" autocomplete="off" spellcheck="false" required ${attributes}${state}>
${
  error === undefined
    ? NOTHING
    : html`<p class="error" id="${name}-error" role="alert">${error}</p>
`
}</div>
`;
}

function alert(failure: FormState["failure"]): Html {
  if (failure === undefined) return NOTHING;
  return html`<div class="alert" id="failure" role="alert" tabindex="-1" autofocus>
<p><strong>${failure.title}</strong></p>
<p>${failure.advice}</p>
</div>
`;
}

function cancelLink({ cancel_url }: SessionRecord): Html {
  if (cancel_url === undefined) return NOTHING;
  return html`<a class="cancel" href="${cancel_url}">Cancel and return to <bdi>${hostOf(cancel_url)}</bdi></a>
`;
}

const TEST_CARD_LIST = html`<details class="test-cards">
<summary>Test cards</summary>
<ul>
${TEST_CARDS.map(
  ([number, result]) => html`<li data-number="${number}"><code>${number}</code> <span>${result}</span></li>
`,
)}</ul>
<p>With any future date and any code.</p>
</details>
`;

/** The order and the form for a card. */
export function formView(session: SessionRecord, state: FormState): Document {
  const amount = amountText(session.amount_total, session.currency);
  const hasFault = state.failure !== undefined || state.errors !== undefined;
  return page(
    `${hasFault ? "Error: " : ""}Pay ${amount} (simulator)`,
    html`<main class="checkout">
${order(session)}
<section class="card" aria-labelledby="card-title">
<h2 id="card-title">Pay by card</h2>
${alert(state.failure)}<form method="post" action="/c/pay/${session.id}" novalidate data-busy="Paying…">
${input("number", html`inputmode="numeric" maxlength="23" placeholder="4242 4242 4242 4242"`, state)}<div class="pair">
${input("expiry", html`inputmode="numeric" maxlength="9" placeholder="MM / YY" value="${state.again?.expiry ?? ""}"`, state)}${input(
      "cvc",
      html`inputmode="numeric" maxlength="4" placeholder="123"`,
      state,
    )}</div>
${input("name", html`maxlength="200" value="${state.again?.name ?? ""}"`, state)}<button class="pay">Pay ${amount}</button>
</form>
${cancelLink(session)}${TEST_CARD_LIST}</section>
</main>`,
  );
}

/** The step for 3-D Secure, as the card's bank would show it. */
export function authenticationView(intent: IntentRecord, card: string, action: string): Document {
  const amount = amountText(intent.amount, intent.currency);
  const { brand, last4 } = cardDetails(cardNamed(card));
  return page(
    `Authenticate ${amount} (simulator)`,
    html`<main class="single">
<section class="panel" aria-labelledby="bank-title">
<p class="eyebrow">3-D Secure test page</p>
<h1 id="bank-title">Confirm your payment</h1>
<p>Your bank asks whether you want to pay <strong>${amount}</strong> with your
<span class="brand">${brand}</span> card ending in ${last4}. Choose how the check ends.</p>
<form method="post" action="${action}" data-busy="One moment…">
<input type="hidden" name="payment_method" value="${intent.payment_method ?? ""}">
<button class="pay" name="result" value="complete">Complete authentication</button>
<button class="second" name="result" value="fail">Fail authentication</button>
</form>
</section>
</main>`,
  );
}

/** A page that says one thing and offers at most one way on. */
export function messageView(message: {
  title: string;
  text: string;
  mark: "done" | "closed";
  next?: { url: string; label: string };
}): Document {
  const { title, text, mark, next } = message;
  const link =
    next === undefined
      ? NOTHING
      : html`<a class="${mark === "done" ? "pay" : "second"}" href="${next.url}">${next.label}</a>
`;
  return page(
    `${title} (simulator)`,
    html`<main class="single">
<section class="panel ${mark}" role="${mark === "done" ? "status" : "alert"}">
<h1>${title}</h1>
<p>${text}</p>
${link}</section>
</main>`,
  );
}
