import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { runHostile } from "./run.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

test("answers 800 hostile requests as openapi.json and docs/errors.md promise, and the money stays right", async () => {
  const { findings, statuses } = await runHostile(stack, { seed: 1, requests: 800 });
  expect(findings).toEqual([]);
  // The seed reaches both what is taken and what is refused.
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 202, 400, 401, 404]));
}, 180_000);
