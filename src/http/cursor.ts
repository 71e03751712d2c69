import assert from "node:assert";
import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";

/** Where a list goes on: the sort key of the last row shown. */
export type Position = readonly string[];

const mac_bytes = 12;

/**
 * The longest cursor has a time and an id of 255 bytes, each of which JSON may write as two: 760 characters.
 * A longer one is a bug, because the rows after that page could not be reached.
 */
export const cursor_length_max = 1_000;

/** The key that signs one list's cursors, so that a cursor of another list is refused. */
export function cursorKey(secretKey: string, list: string): string {
  return `${list}\n${secretKey}`;
}

/** An opaque, signed cursor. */
export function encodeCursor(position: Position, secretKey: string): string {
  const payload = Buffer.from(JSON.stringify(position));
  const cursor = Buffer.concat([macOf(payload, secretKey), payload]).toString("base64url");
  assert.ok(
    cursor.length <= cursor_length_max,
    `a cursor of ${cursor.length} characters would be refused when it comes back`,
  );
  return cursor;
}

/** Errors: `invalid_cursor` for one that we did not make. */
export function decodeCursor(cursor: string, secretKey: string): Position {
  const bytes = Buffer.from(cursor, "base64url");
  const payload = bytes.subarray(mac_bytes);
  // Node decodes base64 leniently: with "=", spaces and unused bits one cursor could be written in several
  // ways.
  const isExact = bytes.toString("base64url") === cursor;
  if (
    !isExact ||
    bytes.length <= mac_bytes ||
    !timingSafeEqual(bytes.subarray(0, mac_bytes), macOf(payload, secretKey))
  ) {
    throw new AppError(
      "invalid_cursor",
      "The cursor is not valid; send next_cursor of the last page unchanged.",
      { param: "cursor" },
    );
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- signed: encodeCursor wrote it
  return JSON.parse(payload.toString("utf8")) as Position;
}

function macOf(payload: Buffer, secretKey: string): Buffer {
  return createHmac("sha256", secretKey).update(payload).digest().subarray(0, mac_bytes);
}

/** A page of a list: one row more than the limit was read to know whether there are more. */
export function pageOf<Row, View>(
  rows: readonly Row[],
  limit: number,
  secretKey: string,
  view: (row: Row) => View,
  position: (row: Row) => Position,
): { object: "list"; data: View[]; has_more: boolean; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const has_more = rows.length > limit;
  return {
    object: "list",
    data: shown.map(view),
    has_more,
    next_cursor: has_more && last !== undefined ? encodeCursor(position(last), secretKey) : null,
  };
}
