import { expect, test } from "vitest";
import { crashPointNames } from "../src/payments/payments.ts";
import { faultsWithoutEnd } from "./cards.ts";
import { bodyOf, planCheckouts } from "./plan.ts";
import { Random } from "./random.ts";
import { planChaos } from "./run.ts";
import { scheduleFaults } from "./schedule.ts";

const seeds = Array.from({ length: 50 }, (_, seed) => seed);

test("the same seed gives the same checkouts and the same schedule of faults", () => {
  for (const seed of seeds) expect(planChaos(seed, 300)).toEqual(planChaos(seed, 300));
});

test("another seed gives other checkouts and another schedule", () => {
  const plans = seeds.map((seed) => planChaos(seed, 300));
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part));
  expect(new Set(plans.map(({ plan }) => text(plan))).size).toBe(seeds.length);
  expect(new Set(plans.map(({ schedule }) => text(schedule))).size).toBe(seeds.length);
});

test("a history has as many orders as were asked for, in checkouts of 1 to 3 with ids of their own", () => {
  for (const seed of seeds) {
    const plan = planCheckouts(new Random(seed), 100);
    const orders = plan.flatMap((checkout) => checkout.orders);
    expect(orders).toHaveLength(100);
    expect(new Set(orders.map((order) => order.payment_order_id)).size).toBe(100);
    expect(plan.every((checkout) => checkout.orders.length <= 3)).toBe(true);
    expect(plan.map((checkout) => checkout.step)).toEqual(plan.map((_, index) => index + 1));
  }
});

test("no card leaves its order undecided for ever, and amounts are such as Stripe takes", () => {
  for (const checkout of seeds.flatMap((seed) => planCheckouts(new Random(seed), 100))) {
    expect(faultsWithoutEnd.map((fault) => `tok_fault_${fault}`)).not.toContain(checkout.card.token);
    for (const { money } of checkout.orders) {
      expect(money.amount_minor > 0n).toBe(true);
      if (money.currency === "BHD") expect(money.amount_minor % 10n).toBe(0n);
    }
  }
});

test("the body of a checkout has exact amounts in the currency's own digits", () => {
  const checkouts = planCheckouts(new Random(1), 300);
  const amounts = checkouts.flatMap(
    (checkout) =>
      (JSON.parse(bodyOf(checkout)) as { payment_orders: { amount: string; currency: string }[] })
        .payment_orders,
  );
  const digits = new Map([
    ["JPY", /^\d+$/],
    ["ISK", /^\d+$/],
    ["BHD", /^\d+\.\d\d0$/],
  ]);
  for (const { amount, currency } of amounts) expect(amount).toMatch(digits.get(currency) ?? /^\d+\.\d\d$/);
  expect(new Set(amounts.map(({ currency }) => currency)).size).toBe(6);
});

test("faults come in the order of their steps, none outside the history", () => {
  for (const seed of seeds) {
    const steps = scheduleFaults(new Random(seed), 40, crashPointNames).map(({ step }) => step);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect(steps.every((step) => step >= 1 && step <= 40)).toBe(true);
  }
});

test("a long history meets every kind of fault and every crash point", () => {
  const schedule = scheduleFaults(new Random(7), 500, crashPointNames).map(({ fault }) => fault);
  expect(new Set(schedule.map((fault) => fault.kind)).size).toBe(16);
  expect(
    new Set(schedule.flatMap((fault) => (fault.kind === "kill_service_at" ? fault.crash_point : []))).size,
  ).toBe(crashPointNames.length);
});

test("numbers are spread evenly, and a fork is not moved by what is drawn beside it", () => {
  const random = new Random(42);
  const drawn = Array.from({ length: 60_000 }, () => random.integer(1, 6));
  for (let face = 1; face <= 6; face++)
    expect(Math.abs(drawn.filter((number) => number === face).length - 10_000)).toBeLessThan(500);
  const [one, other] = [new Random(42), new Random(42)];
  const [forkOfOne, forkOfOther] = [one.fork("a"), other.fork("a")];
  one.next();
  expect(Array.from({ length: 5 }, () => forkOfOne.next())).toEqual(
    Array.from({ length: 5 }, () => forkOfOther.next()),
  );
  expect(new Random(42).fork("b").next()).not.toBe(new Random(42).fork("a").next());
});
