import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rowCounts } from "../api/requests.ts";
import { exchangeRaw, type RawAnswer } from "../support/raw-http.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

describe("a request whose body is held back", () => {
  /** Sends the first byte of the body, and the rest after this. */
  function hold(path: string, token: string, body: unknown, until: Promise<unknown>): Promise<RawAnswer> {
    const text = JSON.stringify(body);
    const head =
      `POST /api/v1${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`;
    return exchangeRaw(stack.service_url, head + text.slice(0, 1), {
      wait_ms: 15_000,
      later: { when: () => until, bytes: text.slice(1) },
    });
  }
  const block = { kind: "buyer_account", value: "victim", reason: "held back" };
  const after = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, milliseconds));

  test("changes nothing when its key was revoked more than five seconds before the body was complete", async () => {
    const { key_id, token } = await stack.db.createKey("stolen", ["write", "admin"]);
    const before = await rowCounts(stack.db);
    const revoked = after(500)
      .then(() => stack.db.revokeKey(key_id))
      .then(() => after(5_100));
    const answers = await Promise.all([
      hold("/payments", token, checkoutBody(), revoked),
      hold("/risk_blocks", token, block, revoked),
    ]);
    for (const answer of answers) {
      expect(answer.status, answer.text).toBe(401);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "unauthenticated" });
    }
    // The revocation alone wrote its row of the audit log.
    const audit = "public.audit_log";
    expect(await rowCounts(stack.db)).toEqual({ ...before, [audit]: Number(before[audit]) + 1 });
  });

  test("is carried out while its key is in force, however old the look-up is", async () => {
    const { token } = await stack.db.createKey("slow", ["admin"]);
    const answer = await hold("/risk_blocks", token, block, after(5_500));
    expect(answer.status, answer.text).toBe(200);
  });
});
