import { formatAmount, toCurrencyCode, type Money } from "../src/money/money.ts";
import { declinedCards, faultCards, goodCards, transientCards, waitingCards, type Card } from "./cards.ts";
import type { Random } from "./random.ts";

/** The account that collects money outside the PSP's API. */
export const external_account = "cash";

export type PlannedOrder = {
  readonly payment_order_id: string;
  readonly seller_account: string;
  readonly money: Money;
};

/** What the client of a checkout does beside posting it until it is answered. */
export type Habits = {
  /** The same request so many times at once. */
  readonly copies: number;
  /** Hangs up on the first try after so long, and tries again. Null: waits. */
  readonly patience_ms: number | null;
  readonly has_idempotency_key: boolean;
  /** Sends something that must be refused without effect. */
  readonly abuse: "none" | "other_body" | "other_body_same_key" | "order_of_another";
  /** How often a FAILED order is run again by hand. */
  readonly retries: number;
  /** Tries to cancel the first order. */
  readonly cancels: boolean;
  /** What the buyer does where the PSP asks for authentication. */
  readonly buyer: "pays" | "gives_up" | "leaves";
  /** The card is only authorised; then so many captures of each order, in shares of a thousand, and what follows them. Null: taken at once. */
  readonly captures: Captures | null;
  /** Paid on the PSP's own page, and what happens there. Null: with the card. */
  readonly page: PageVisit | null;
  /** Collected outside the PSP's API, and what its collector reports. Null: paid at the PSP. */
  readonly external: "success" | "failed" | "none" | null;
  /** Rest before the checkout. */
  readonly pause_ms: number;
};

export type Captures = {
  readonly shares: readonly number[];
  /** Whether the client waits for one capture before the next. */
  readonly is_at_once: boolean;
  /** The last capture releases the rest, a cancel does, or nothing does. */
  readonly ending: "last_is_final" | "cancel" | "nothing";
};

export type PageVisit = {
  readonly buyer: "pays" | "is_declined_first" | "leaves";
  /** Two tabs, or a finger that is too quick. */
  readonly clicks: number;
  /** Comes to our status page with a redirect that says it was paid, whatever happened. */
  readonly lies: boolean;
};

/** One checkout of the history, with all that its client will do. */
export type PlannedCheckout = {
  /** Its place in the history, from 1. */
  readonly step: number;
  readonly checkout_id: string;
  readonly buyer_account: string;
  readonly card: Card;
  readonly orders: readonly [PlannedOrder, ...PlannedOrder[]];
  readonly habits: Habits;
};

/** Currencies with the step in which Stripe takes them, in minor units. */
type Coin = readonly [code: string, step_minor: bigint];
const currencies: readonly [Coin, ...Coin[]] = [
  ["USD", 1n],
  ["EUR", 1n],
  ["GBP", 1n],
  ["JPY", 1n],
  ["BHD", 10n],
  ["ISK", 1n],
];
const sellers = ["seller_ann", "seller_bob", "seller_cem", "seller_dee", "seller_eve", "seller_fay"] as const;
const orders_of_one_checkout_max = 3;

/** Checkouts with `payments` orders in all; the same stream gives the same plan. */
export function planCheckouts(random: Random, payments: number): PlannedCheckout[] {
  const plan: PlannedCheckout[] = [];
  for (let left = payments; left > 0;) {
    const step = plan.length + 1;
    const checkout = planCheckout(random.fork(`checkout ${step}`), step, left);
    plan.push(checkout);
    left -= checkout.orders.length;
  }
  return plan;
}

function planCheckout(random: Random, step: number, ordersLeft: number): PlannedCheckout {
  const checkout_id = `chaos-${step}`;
  const chosen = chooseHabits(random);
  const habits = {
    ...chosen,
    external:
      chosen.captures === null && chosen.page === null ? chooseCollector(random.fork("collector")) : null,
  };
  const shared = random.pick(currencies);
  const order = (position: number): PlannedOrder => {
    // A page is one charge.
    const [currency, step_minor] = habits.page === null ? random.pick(currencies) : shared;
    const amount_minor = step_minor * BigInt(random.integer(100, 99_999));
    return {
      payment_order_id: `${checkout_id}-${position}`,
      seller_account: random.pick(sellers),
      money: { amount_minor, currency: toCurrencyCode(currency) },
    };
  };
  const others = random.integer(0, Math.min(orders_of_one_checkout_max, ordersLeft) - 1);
  return {
    step,
    checkout_id,
    buyer_account: `buyer_${random.integer(1, 20)}`,
    card: habits.page === null ? chooseCard(random) : { token: "on a page", ending: "waits_for_buyer" },
    orders: [order(1), ...Array.from({ length: others }, (_, index) => order(index + 2))],
    habits,
  };
}

function chooseCard(random: Random): Card {
  const [first = { token: "tok_visa", ending: "paid" }, ...others] = chooseDeck(random.next());
  return random.pick([first, ...others]);
}

function chooseDeck(share: number): readonly Card[] {
  if (share < 0.5) return goodCards;
  if (share < 0.78) return faultCards;
  if (share < 0.88) return declinedCards;
  return share < 0.92 ? transientCards : waitingCards;
}

/** From a random stream of its own, so that the other decisions of a seed stay the same. */
function chooseCollector(random: Random): Habits["external"] {
  return random.chance(0.2) ? random.pick(["success", "success", "failed", "none"]) : null;
}

function chooseHabits(random: Random): Omit<Habits, "external"> {
  return {
    copies: random.chance(0.25) ? random.integer(2, 5) : 1,
    patience_ms: random.chance(0.15) ? random.integer(1, 40) : null,
    has_idempotency_key: random.chance(0.4),
    abuse: random.chance(0.2)
      ? random.pick(["other_body", "other_body_same_key", "order_of_another"])
      : "none",
    retries: random.chance(0.3) ? random.integer(1, 2) : 0,
    cancels: random.chance(0.05),
    buyer: random.pick(["pays", "gives_up", "leaves"]),
    ...chooseWay(random),
    pause_ms: random.integer(0, 300),
  };
}

/** How it is paid: with a card that is charged at once or captured later, or on a page. */
function chooseWay(random: Random): Pick<Habits, "captures" | "page"> {
  if (random.chance(0.15)) {
    return {
      captures: null,
      page: {
        buyer: random.pick(["pays", "is_declined_first", "leaves"]),
        clicks: random.integer(1, 3),
        lies: random.chance(0.5),
      },
    };
  }
  return { captures: random.chance(0.25) ? chooseCaptures(random) : null, page: null };
}

/** Sometimes more than there is: then some must be refused. */
function chooseCaptures(random: Random): Captures {
  const count = random.integer(0, 4);
  return {
    shares: Array.from({ length: count }, () => (random.chance(0.2) ? 1_000 : random.integer(50, 500))),
    is_at_once: random.chance(0.5),
    ending: random.pick(["last_is_final", "cancel", "nothing"]),
  };
}

function wayToPay({ card, habits }: PlannedCheckout): Record<string, unknown> {
  if (habits.external !== null) return { external: { psp: external_account } };
  return habits.page === null
    ? { credit_card_info: { token: card.token, last4: "4242" } }
    : { hosted_page: { return_url: "https://shop.example/thanks" } };
}

/** The body of POST /payments, always the same bytes. */
export function bodyOf(checkout: PlannedCheckout): string {
  return JSON.stringify({
    checkout_id: checkout.checkout_id,
    buyer_info: { user_id: checkout.buyer_account, email: `${checkout.buyer_account}@example.com` },
    ...wayToPay(checkout),
    ...(checkout.habits.captures === null ? {} : { capture_method: "manual" }),
    payment_orders: checkout.orders.map(({ money, ...order }) => ({
      ...order,
      amount: formatAmount(money),
      currency: money.currency,
    })),
  });
}
