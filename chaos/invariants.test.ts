import { describe, expect, test } from "vitest";
import type { Effect } from "./effects.ts";
import type { Evidence } from "./evidence.ts";
import { compareSides } from "./invariants.ts";
import { Journal } from "./journal.ts";
import { planCheckouts, type PlannedCheckout } from "./plan.ts";
import type { Outcome } from "./queries.ts";
import { Random } from "./random.ts";

const habits = {
  ...planCheckouts(new Random(1), 1)[0]?.habits,
  copies: 1,
  patience_ms: null,
  cancels: false,
  buyer: "leaves",
  captures: null,
  page: null,
  external: null,
} as PlannedCheckout["habits"];
const plan = planCheckouts(new Random(3), 3).map((checkout): PlannedCheckout => ({
  ...checkout,
  habits,
  card: { token: "tok_visa", ending: "paid" },
}));
const orders = plan.flatMap((checkout) =>
  checkout.orders.map((order) => ({ ...order, checkout_id: checkout.checkout_id })),
);

const outcomes = orders.map(({ payment_order_id, checkout_id, seller_account, money }): Outcome => ({
  payment_order_id,
  checkout_id,
  seller_account,
  ...money,
  status: "SUCCESS",
  status_cause: "psp_succeeded",
  psp_token: `pi_${payment_order_id}`,
  attempts: "",
  captured_minor: money.amount_minor,
  capturing_minor: 0n,
  captures: "",
  paid_attempt_id: `att_${payment_order_id}`,
  has_open_case: false,
  capture_count: 1,
  seller_credit_minor: money.amount_minor,
  commission_minor: 0n,
}));
const effects = orders.map(({ payment_order_id, money }): Effect => ({
  payment_intent: `pi_${payment_order_id}`,
  amount_minor: Number(money.amount_minor) * (money.currency === "ISK" ? 100 : 1),
  currency: money.currency.toLowerCase(),
  metadata: { payment_order_id, attempt_id: `att_${payment_order_id}` },
}));

function journalOf(texts: readonly string[] = plan.map(() => "accepted")): Journal {
  const journal = new Journal();
  plan.forEach((checkout, index) =>
    journal.note("checkout", checkout.checkout_id, {
      status: 202,
      text: texts[index] ?? "",
      is_replay: false,
    }),
  );
  return journal;
}

const brokenBy = (changes: Partial<Evidence>): string[] =>
  compareSides({ plan, journal: journalOf(), outcomes, effects, ...changes })
    .filter((check) => check.faults.length > 0)
    .map((check) => check.statement.slice(0, 20));

/** The first checkout, paid outside the PSP's API. */
const collected = (external: PlannedCheckout["habits"]["external"]): PlannedCheckout[] =>
  plan.map((checkout, index) => (index === 0 ? { ...checkout, habits: { ...habits, external } } : checkout));

const [first, ...others] = outcomes as [Outcome, ...Outcome[]];
const [charge, ...charges] = effects as [Effect, ...Effect[]];
const withFirst = (changes: Partial<Outcome>): Partial<Evidence> => ({
  outcomes: [{ ...first, ...changes }, ...others],
});
const unpaid: Partial<Outcome> = {
  status: "FAILED",
  status_cause: "psp_declined",
  paid_attempt_id: null,
  psp_token: null,
  captured_minor: 0n,
  capture_count: 0,
  seller_credit_minor: 0n,
};

test("where clients, database and PSP agree, every claim holds", () => {
  expect(brokenBy({})).toEqual([]);
});

describe("what does not fit is found", () => {
  test.each<[string, Partial<Evidence>, RegExp]>([
    [
      "an order that was accepted and is gone",
      { outcomes: others, effects: charges },
      /^every checkout was a/,
    ],
    [
      "an order stored with another amount",
      withFirst({ amount_minor: first.amount_minor + 1n }),
      /^every checkout was a/,
    ],
    [
      "an order that nobody sent",
      { outcomes: [...outcomes, { ...first, ...unpaid, payment_order_id: "stranger" }] },
      /^refused requests/,
    ],
    ["a paid order without a charge", { effects: charges }, /^each paid order/],
    ["a second charge", { effects: [charge, ...effects] }, /^no order/],
    [
      "a charge of another amount",
      { effects: [{ ...charge, amount_minor: charge.amount_minor + 1 }, ...charges] },
      /^each paid order/,
    ],
    ["a collected order that was charged", { plan: collected("success") }, /^orders of external/],
    [
      "a collected order that nobody reported",
      { plan: collected("none"), effects: charges },
      /^orders of external/,
    ],
    [
      "a collected order that another reference has paid",
      { plan: collected("success"), effects: charges },
      /^orders of external/,
    ],
    [
      "a charge in another currency",
      { effects: [{ ...charge, currency: "chf" }, ...charges] },
      /^each paid order/,
    ],
    [
      "a charge by another attempt",
      { effects: [{ ...charge, metadata: { ...charge.metadata, attempt_id: "att_other" } }, ...charges] },
      /^each paid order/,
    ],
    ["a charge for an order that failed", withFirst(unpaid), /^each charge/],
    [
      "a charge for nobody",
      { effects: [...effects, { ...charge, payment_intent: "pi_x", metadata: {} }] },
      /^each charge/,
    ],
    [
      "a capture that the PSP made twice",
      { ...withFirst({ captures: `${first.amount_minor}` }), effects: [charge, ...effects] },
      /^each paid order/,
    ],
    [
      "a capture that the PSP never made",
      withFirst({ captures: `1 ${first.amount_minor - 1n}` }),
      /^each paid order/,
    ],
    ["a capture that is still under way", withFirst({ capturing_minor: 1n }), /^nothing is left/],
    [
      "a capture that the ledger lacks",
      withFirst({ captures: `1 ${first.amount_minor - 1n}` }),
      /^the ledger has/,
    ],
    [
      "an order that is still undecided",
      { ...withFirst({ ...unpaid, status: "UNKNOWN" }), effects: charges },
      /^nothing is left/,
    ],
    ["a good card that was declined", { ...withFirst(unpaid), effects: charges }, /^every order ended/],
    ["an order booked twice", withFirst({ capture_count: 2 }), /^the ledger has/],
    [
      "an order booked with too little",
      withFirst({ seller_credit_minor: first.amount_minor - 1n }),
      /^the ledger has/,
    ],
    ["two answers to one checkout", { journal: twoAnswers() }, /^a repeated/],
    ["a 500", { journal: anAnswer(500) }, /^every answer/],
    ["a forged webhook that was taken", { journal: anAnswer(200, "forged_webhook") }, /^every answer/],
  ])("%s", (_name, changes, claim) => {
    expect(brokenBy(changes)).toEqual(expect.arrayContaining([expect.stringMatching(claim)]));
  });

  test("a charge for an order that is not paid is no fault while a dead letter tells of it", () => {
    expect(brokenBy(withFirst({ ...unpaid, has_open_case: true }))).toEqual([
      expect.stringMatching(/^every order ended/),
    ]);
  });
});

function twoAnswers(): Journal {
  const journal = journalOf();
  journal.note("checkout", plan[0]?.checkout_id ?? "", { status: 202, text: "another", is_replay: true });
  return journal;
}

function anAnswer(status: number, request: "checkout" | "forged_webhook" = "checkout"): Journal {
  const journal = journalOf();
  journal.note(request, "x", { status, text: "", is_replay: false });
  return journal;
}

test("no answer, 429, 503 and a key in use are to be asked again; 422 for a good checkout is a wrong decision", () => {
  const journal = new Journal();
  const problem = (code: string): string => JSON.stringify({ code });
  const note = (status: number, text = ""): boolean =>
    journal.note("checkout", "c", { status, text, is_replay: false });
  expect([
    note(0),
    note(503, problem("unavailable")),
    note(429, problem("rate_limited")),
    note(409, problem("idempotency_key_in_use")),
  ]).toEqual([false, false, false, false]);
  expect(journal.wrong_answers).toEqual([]);
  expect([note(202, "{}"), note(422, problem("checkout_id_reused"))]).toEqual([true, true]);
  expect(journal.wrong_answers).toHaveLength(1);
});
