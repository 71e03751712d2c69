import { expect, test } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import { breakerOpen } from "../metrics.ts";
import { Breaker } from "./breaker.ts";

const open_seconds = 0.2;
type Outcome = {
  readonly kind: string;
  readonly no_call_made?: true;
  readonly failure?: { readonly class: string };
};
const failed: Outcome = { kind: "unknown" };
const unasked: Outcome = { kind: "unknown", no_call_made: true };
const answered: Outcome = { kind: "declined", failure: { class: "hard_decline" } };

const newBreaker = (name: string): Breaker => new Breaker(name, { failures_in_a_row: 3, open_seconds });
const isHeld = async (name: string): Promise<unknown> =>
  (await breakerOpen.get()).values.find((value) => value.labels.psp === name)?.value;

/** A call that ends when the test says so. */
function slowCall(breaker: Breaker): { end(outcome: Outcome): Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const running = breaker.run(() => promise);
  return {
    async end(outcome) {
      resolve(outcome);
      await running;
    },
  };
}

async function runAll(breaker: Breaker, outcomes: readonly Outcome[]): Promise<void> {
  for (const outcome of outcomes) await breaker.run(() => Promise.resolve(outcome));
}

/** A breaker whose time for a trial has come. */
async function dueBreaker(name: string): Promise<Breaker> {
  const breaker = newBreaker(name);
  await runAll(breaker, [failed, failed, failed]);
  await sleep(open_seconds * 1_000 + 20);
  return breaker;
}

test("it opens after failures in a row and says how long it really stays open", async () => {
  const breaker = newBreaker("opening");
  await runAll(breaker, [failed, failed, answered, failed, failed]);
  expect([breaker.callsAllowed(), breaker.secondsToWait(), await isHeld("opening")]).toEqual([
    Number.POSITIVE_INFINITY,
    0,
    0,
  ]);
  await runAll(breaker, [failed]);
  expect([breaker.callsAllowed(), await isHeld("opening")]).toEqual([0, 1]);
  const atFirst = breaker.secondsToWait();
  await sleep(100);
  expect(atFirst).toBeGreaterThan(open_seconds - 0.05);
  expect(breaker.secondsToWait()).toBeLessThanOrEqual(atFirst - 0.09);
  await sleep(open_seconds * 1_000 - 80);
  expect([breaker.callsAllowed(), breaker.secondsToWait()]).toEqual([1, 0]);
});

test("while a trial is under way nothing else is let through, however long it takes; its success opens fully", async () => {
  const breaker = await dueBreaker("trial");
  const trial = slowCall(breaker);
  expect([
    breaker.callsAllowed(),
    breaker.secondsToWait(),
    breaker.tryReserve(),
    await isHeld("trial"),
  ]).toEqual([0, 1, false, 1]);
  await sleep(open_seconds * 2_000);
  expect(breaker.callsAllowed()).toBe(0);
  await trial.end(answered);
  expect([breaker.callsAllowed(), await isHeld("trial")]).toEqual([Number.POSITIVE_INFINITY, 0]);
});

test.each<[string, Outcome]>([
  ["fails", failed],
  ["cannot be sent", { kind: "not_sent", failure: { class: "unreachable" } }],
])("a trial that %s holds calls back for as long again", async (_, outcome) => {
  const breaker = await dueBreaker("failing-trial");
  await slowCall(breaker).end(outcome);
  expect(breaker.secondsToWait()).toBeGreaterThan(open_seconds - 0.05);
});

test("a call that throws counts as a failure and its error comes through", async () => {
  const breaker = await dueBreaker("throwing");
  await expect(breaker.run(() => Promise.reject(new Error("a bug")))).rejects.toThrow("a bug");
  expect(breaker.callsAllowed()).toBe(0);
});

test("a call that began before the breaker opened says nothing about the trial, nor about the time after it", async () => {
  const breaker = newBreaker("late");
  const late = Array.from({ length: 6 }, () => slowCall(breaker));
  for (const call of late.slice(0, 3)) await call.end(failed);
  await sleep(100);
  await late[3]?.end(failed);
  expect(breaker.secondsToWait()).toBeLessThan(open_seconds - 0.09);
  await sleep(open_seconds * 1_000 - 80);
  const trial = slowCall(breaker);
  await late[4]?.end(failed);
  await trial.end(answered);
  expect(breaker.callsAllowed()).toBe(Number.POSITIVE_INFINITY);
  await late[5]?.end(failed);
  await runAll(breaker, [failed, failed]);
  expect(breaker.callsAllowed()).toBe(Number.POSITIVE_INFINITY);
});

test("what was answered without asking the PSP says nothing: neither counted nor taken for a trial", async () => {
  const breaker = newBreaker("unasked");
  await runAll(breaker, [failed, failed, unasked, failed]);
  expect(breaker.callsAllowed()).toBe(0);
  await sleep(open_seconds * 1_000 + 20);
  await runAll(breaker, [unasked]);
  expect(breaker.callsAllowed()).toBe(1);
  await runAll(breaker, [failed]);
  expect(breaker.callsAllowed()).toBe(0);
});

test("a trial that is due is promised to one attempt, and to another when that one does not come", async () => {
  const breaker = await dueBreaker("inviting");
  expect([breaker.tryReserve(), breaker.tryReserve(), breaker.callsAllowed()]).toEqual([true, false, 1]);
  await sleep(1_050);
  expect([breaker.tryReserve(), breaker.tryReserve()]).toEqual([true, false]);
});

test("a clock that jumps neither opens it early nor keeps it open", async () => {
  const breaker = newBreaker("clock");
  const { now } = Date;
  try {
    Date.now = () => now() + 3_600_000;
    await runAll(breaker, [failed, failed, failed]);
    Date.now = () => now() - 3_600_000;
    await sleep(open_seconds * 1_000 + 20);
    expect(breaker.callsAllowed()).toBe(1);
    await runAll(breaker, [answered]);
    expect(breaker.callsAllowed()).toBe(Number.POSITIVE_INFINITY);
  } finally {
    Date.now = now;
  }
});
