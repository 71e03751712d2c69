import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const hour = 3_600;
/** A PSP that knows keys for 23 hours, and a quiet time of 25. */
async function turn(
  key_age: number,
  sent_age: number,
  has_stored_failure: boolean,
  key_seconds: number | null = 23 * hour,
): Promise<unknown> {
  const [row] = await db.asService(
    `select payments_turn(now() - $1 * interval '1 second', now() - $2 * interval '1 second', $3, $4, $5) as turn`,
    [key_age, sent_age, has_stored_failure, key_seconds, 25 * hour],
  );
  return row?.["turn"];
}

test.each([
  [
    "a key that the PSP remembers is used again, however often it was sent",
    22.9 * hour,
    0,
    false,
    "ask_then_send",
  ],
  ["a key that the PSP may have forgotten is not used again", 23.1 * hour, 0, false, "ask_only"],
  ["a key under which a server error is stored is not used again", 1, 1, true, "ask_only"],
  ["before the quiet time is over nothing is proved", 100 * hour, 24.9 * hour, false, "ask_only"],
  ["after the quiet time what is not there was never made", 100 * hour, 25.1 * hour, false, "ask_for_proof"],
  ["after a stored server error too", 26 * hour, 25.1 * hour, true, "ask_for_proof"],
])("%s", async (_what, key_age, sent_age, has_stored_failure, expected) => {
  expect(await turn(key_age, sent_age, has_stored_failure)).toBe(expected);
});

test("at a PSP that is configured no more nothing is sent again", async () => {
  expect(await turn(1, 1, false, null)).toBe("ask_only");
  expect(await turn(26 * hour, 26 * hour, false, null)).toBe("ask_for_proof");
});

test("a PSP that keeps keys for longer than the quiet time is sent the request again while it does", async () => {
  expect(await turn(100 * hour, 26 * hour, false, 6 * 24 * hour)).toBe("ask_then_send");
});
