import fc from "fast-check";
import { expect, test } from "vitest";
import { nextDelaySeconds, type RetryPolicy } from "./retry-delay.ts";

const middle = { random: 0.5 };
/** The waits before each further try, up to and with the one that gives up. */
function waitsOf(
  policy: RetryPolicy,
  options: { retry_after_seconds?: number; random: number } = middle,
): (number | undefined)[] {
  const waits: (number | undefined)[] = [];
  do waits.push(nextDelaySeconds(policy, waits.length + 1, options));
  while (waits.at(-1) !== undefined && waits.length < 20);
  return waits;
}

const exponential = {
  strategy: "exponential",
  attempts_max: 6,
  delay_seconds: 1,
  base: 2,
  delay_seconds_max: 300,
  jitter: 0,
} as const;

test("none gives up after the first try", () => {
  expect(waitsOf({ strategy: "none" })).toEqual([undefined]);
});

test("immediate tries again at once, up to its limit", () => {
  expect(waitsOf({ strategy: "immediate", attempts_max: 3 })).toEqual([0, 0, undefined]);
});

test("fixed waits the same time before each try", () => {
  expect(waitsOf({ strategy: "fixed", attempts_max: 4, delay_seconds: 7 })).toEqual([7, 7, 7, undefined]);
});

test("incremental waits longer by a step each time, up to its longest wait", () => {
  const policy = {
    strategy: "incremental",
    attempts_max: 6,
    delay_seconds: 1,
    step_seconds: 3,
    delay_seconds_max: 8,
  } as const;
  expect(waitsOf(policy)).toEqual([1, 4, 7, 8, 8, undefined]);
});

test("exponential doubles the wait: 1, 2, 4, 8, 16 seconds", () => {
  expect(waitsOf(exponential)).toEqual([1, 2, 4, 8, 16, undefined]);
});

test("exponential stops growing at its longest wait", () => {
  expect(waitsOf({ ...exponential, delay_seconds_max: 5 })).toEqual([1, 2, 4, 5, 5, undefined]);
});

test("the longest wait holds after a number of tries whose power is infinite", () => {
  expect(nextDelaySeconds({ ...exponential, attempts_max: Number.MAX_SAFE_INTEGER }, 100_000, middle)).toBe(
    300,
  );
});

test("a limit of one attempt never tries again", () => {
  expect(nextDelaySeconds({ ...exponential, attempts_max: 1 }, 1, middle)).toBeUndefined();
});

const policies: fc.Arbitrary<Exclude<RetryPolicy, { strategy: "none" }>> = fc.oneof(
  fc.record({ strategy: fc.constant("immediate" as const), attempts_max: fc.integer({ min: 1, max: 10 }) }),
  fc.record({
    strategy: fc.constant("fixed" as const),
    attempts_max: fc.integer({ min: 1, max: 10 }),
    delay_seconds: fc.integer({ min: 0, max: 100 }),
  }),
  fc.record({
    strategy: fc.constant("incremental" as const),
    attempts_max: fc.integer({ min: 1, max: 10 }),
    delay_seconds: fc.integer({ min: 0, max: 100 }),
    step_seconds: fc.integer({ min: 0, max: 50 }),
    delay_seconds_max: fc.integer({ min: 100, max: 400 }),
  }),
  fc.record({
    strategy: fc.constant("exponential" as const),
    attempts_max: fc.integer({ min: 1, max: 10 }),
    delay_seconds: fc.integer({ min: 1, max: 10 }),
    base: fc.double({ min: 1, max: 10, noNaN: true }),
    delay_seconds_max: fc.integer({ min: 10, max: 400 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
);
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("whatever the strategy: it gives up exactly at its limit, and a Retry-After is the least it waits", () => {
  fc.assert(
    fc.property(
      policies,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 0, max: 3_600 }),
      random,
      (policy, attempts, retry_after_seconds, chance) => {
        const plain = nextDelaySeconds(policy, attempts, { random: chance });
        const asked = nextDelaySeconds(policy, attempts, { random: chance, retry_after_seconds });
        expect(plain === undefined).toBe(attempts >= policy.attempts_max);
        expect(asked).toBe(plain === undefined ? undefined : Math.max(plain, retry_after_seconds));
        expect(plain ?? 0).toBeGreaterThanOrEqual(0);
      },
    ),
  );
});

test("jitter of 0.2 keeps every wait within 20 % of its own, and reaches both ends", () => {
  const jittered = { ...exponential, jitter: 0.2 };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), random, (attempts, chance) => {
      const exact = 2 ** (attempts - 1);
      const wait = nextDelaySeconds(jittered, attempts, { random: chance }) ?? Number.NaN;
      expect(wait).toBeGreaterThanOrEqual(exact * 0.8 - 1e-9);
      expect(wait).toBeLessThanOrEqual(exact * 1.2 + 1e-9);
    }),
  );
  expect(nextDelaySeconds(jittered, 1, { random: 0 })).toBeCloseTo(0.8);
  expect(nextDelaySeconds(jittered, 1, { random: 1 })).toBeCloseTo(1.2);
});
