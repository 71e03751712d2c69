import fc from "fast-check";
import { expect, test } from "vitest";
import { AppError } from "../errors.ts";
import { decodeCursor, encodeCursor, pageOf } from "./cursor.ts";

const key = "0123456789abcdef0123456789abcdef";
const positions = fc.array(fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()), { minLength: 1, maxLength: 4 });

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
  fc.assert(fc.property(positions, (position) => {
    const cursor = encodeCursor(position, key);
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(decodeCursor(cursor, key)).toEqual(position);
  }));
});

test("a cursor in which any bit was changed is refused", () => {
  fc.assert(fc.property(positions, fc.nat(), (position, chosen) => {
    const bytes = Buffer.from(encodeCursor(position, key), "base64url");
    const bit = chosen % (bytes.length * 8);
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(verdictOf(bytes.toString("base64url"))).toBe(refused);
  }));
});

test("a cursor that was cut, made with another key or made up is refused", () => {
  const cursor = encodeCursor(["2026-01-01T00:00:00Z", "order-1"], key);
  for (const changed of [cursor.slice(0, -2), cursor.slice(2), "", "x", "=", "é", "AAAA", "A".repeat(1_000), Buffer.from('["a"]').toString("base64url")]) {
    expect([changed, verdictOf(changed)]).toEqual([changed, refused]);
  }
  expect(verdictOf(cursor, `${key}!`)).toBe(refused);
});

test("a page shows as many rows as asked for and has a cursor only when there are more", () => {
  const page = (rows: readonly number[]) => pageOf(rows, 3, key, (row) => ({ n: row }), (row) => [String(row)]);
  expect(page([])).toEqual({ object: "list", data: [], has_more: false, next_cursor: null });
  expect(page([1, 2, 3])).toEqual({ object: "list", data: [{ n: 1 }, { n: 2 }, { n: 3 }], has_more: false, next_cursor: null });
  const more = page([1, 2, 3, 4]);
  expect(more).toMatchObject({ data: [{ n: 1 }, { n: 2 }, { n: 3 }], has_more: true });
  expect(decodeCursor(more.next_cursor ?? "", key)).toEqual(["3"]);
});
