import fc from "fast-check";
import { expect, test } from "vitest";
import { AppError } from "../errors.ts";
import { cursor_length_max, decodeCursor, encodeCursor, pageOf } from "./cursor.ts";

const key = "0123456789abcdef0123456789abcdef";
const positions = fc.array(
  fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
  { minLength: 1, maxLength: 4 },
);

/** The code and status with which a cursor is refused, or "taken". */
function verdictOf(cursor: string, secret = key): string {
  try {
    decodeCursor(cursor, secret);
    return "taken";
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.status} ${error.param ?? ""}`;
    throw error;
  }
}
const refused = "invalid_cursor 400 cursor";

test("a position comes back from its cursor, which fits into a URL as it is", () => {
  fc.assert(
    fc.property(positions, (position) => {
      const cursor = encodeCursor(position, key);
      expect(cursor).toMatch(/^[\w-]+$/);
      expect(decodeCursor(cursor, key)).toEqual(position);
    }),
  );
});

test("a cursor in which any bit was changed is refused", () => {
  fc.assert(
    fc.property(positions, fc.nat(), (position, chosen) => {
      const bytes = Buffer.from(encodeCursor(position, key), "base64url");
      const bit = chosen % (bytes.length * 8);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(verdictOf(bytes.toString("base64url"))).toBe(refused);
    }),
  );
});

test("a cursor that was cut, made with another key or made up is refused", () => {
  const cursor = encodeCursor(["2026-01-01T00:00:00Z", "order-1"], key);
  for (const changed of [
    cursor.slice(0, -2),
    cursor.slice(2),
    "",
    "x",
    "=",
    "é",
    "AAAA",
    "A".repeat(1_000),
    Buffer.from('["a"]').toString("base64url"),
  ]) {
    expect([changed, verdictOf(changed)]).toEqual([changed, refused]);
  }
  expect(verdictOf(cursor, `${key}!`)).toBe(refused);
});

test.for([
  ["quotes", '"'.repeat(255)],
  ["backslashes", "\\".repeat(255)],
  ["three bytes", "中".repeat(85)],
  ["four bytes", "😀".repeat(63)],
] as const)("the position of an id of 255 bytes of %s fits into a cursor", ([, id]) => {
  const position = ["2026-01-02T03:04:05.678901Z", id];
  const cursor = encodeCursor(position, key);
  expect(cursor.length).toBeLessThanOrEqual(cursor_length_max);
  expect(decodeCursor(cursor, key)).toEqual(position);
});

test("a position that makes a cursor too long to come back is a fault of the list, not an answer", () => {
  expect(() => encodeCursor(["中".repeat(300)], key)).toThrow("would be refused");
});

test("a cursor has one form: another text of the same bytes is refused", () => {
  for (let length = 0; length < 4; length++) {
    const cursor = encodeCursor(["x".repeat(length)], key);
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const others = [...digits]
      .map((digit) => cursor.slice(0, -1) + digit)
      .filter((other) => other !== cursor);
    for (const changed of [
      ...others,
      `${cursor}=`,
      `${cursor} `,
      ` ${cursor}`,
      `${cursor}!`,
      cursor.replaceAll("-", "+").replaceAll("_", "/").replace(/$/, "=="),
    ]) {
      expect([changed, verdictOf(changed)]).toEqual([changed, refused]);
    }
  }
});

test("a page shows as many rows as asked for and has a cursor only when there are more", () => {
  const page = (rows: readonly number[]) =>
    pageOf(
      rows,
      3,
      key,
      (row) => ({ n: row }),
      (row) => [String(row)],
    );
  expect(page([])).toEqual({ object: "list", data: [], has_more: false, next_cursor: null });
  expect(page([1, 2, 3])).toEqual({
    object: "list",
    data: [{ n: 1 }, { n: 2 }, { n: 3 }],
    has_more: false,
    next_cursor: null,
  });
  const more = page([1, 2, 3, 4]);
  expect(more).toMatchObject({ data: [{ n: 1 }, { n: 2 }, { n: 3 }], has_more: true });
  expect(decodeCursor(more.next_cursor ?? "", key)).toEqual(["3"]);
});
