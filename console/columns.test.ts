import { expect, test } from "vitest";
import { layOut } from "./columns.ts";

test("columns are as wide as their widest cell, lie left or right, and end without spaces", () => {
  const columns = [{ title: "order" }, { title: "USD", is_right: true }, { title: "" }];
  expect(
    layOut(
      columns,
      [
        ["bob", "29.99", ""],
        ["charlie", "1.50", "late"],
      ],
      2,
    ),
  ).toEqual({
    titles: "order      USD",
    rule: "───────  ─────  ────",
    lines: ["bob      29.99", "charlie   1.50  late"],
  });
});
