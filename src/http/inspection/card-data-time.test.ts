import { expect, test } from "vitest";
import { cpuMilliseconds } from "../../../test/support/cpu-time.ts";
import { cardDataIn } from "./card-data.ts";

test("a megabyte of any kind is looked through in tens of milliseconds: the time grows with the length", () => {
  const pieces = [
    "4 ",
    "44-",
    "4",
    "4242424242424241 ",
    "４",
    "a\u0301\u0316",
    "2026-11-22 30:07:08 ",
    "+4 ",
    "DE89 ",
    "%B424242424242^",
    "cvv   1",
    "42-42424-2424242-2 ",
    "4242x",
    "4242 x ",
    "cvv no is ",
    "❹",
    "48b87578-5160-4440-8301-007444514ecc ",
    "%34",
    "%2525",
    "%E2%80",
    "4242%20",
    "&nbsp;",
    "&#52;",
    "4&nbsp",
    "\\u0034",
    "\\",
    "4242y",
    "4242 -/. ",
    "4 -/.=+*#:;,_<>(){}[]",
    "1----",
    "四",
    "四 - ",
    "𑁕",
  ];
  cardDataIn("4 4 4 4 4 4 4 4 4 4 4 4 4");
  for (const piece of pieces) {
    const text = piece.repeat(Math.ceil(1_000_000 / piece.length));
    // Before, some took 300 ms, and more than twice as long for twice the text.
    const milliseconds = cpuMilliseconds(150, () => cardDataIn(text));
    expect(milliseconds, `of ${JSON.stringify(piece)}`).toBeLessThan(150);
  }
});
