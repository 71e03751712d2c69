import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createReadTurns } from "./read-turns.ts";

test("so many reads as may begin at once, and the others in the turns that follow, in their order", async () => {
  const begin = createReadTurns(3);
  const begun: number[] = [];
  for (let read = 0; read < 8; read++) begin(() => begun.push(read));
  expect(begun).toEqual([0, 1, 2]);
  await turn();
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  await turn();
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("a read that comes while others wait does not overtake them", async () => {
  const begin = createReadTurns(1);
  const begun: string[] = [];
  for (const name of ["first", "second"]) begin(() => begun.push(name));
  await turn();
  begin(() => begun.push("third"));
  expect(begun).toEqual(["first", "second"]);
  await turn();
  await turn();
  expect(begun).toEqual(["first", "second", "third"]);
});

test("after a quiet time a read begins at once", async () => {
  const begin = createReadTurns(1);
  let begun = 0;
  for (let round = 1; round <= 3; round++) {
    begin(() => {
      begun += 1;
    });
    expect(begun).toBe(round);
    await turn();
    await turn();
  }
});
