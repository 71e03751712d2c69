import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { rowCounts, until } from "../api/requests.ts";
import { exchangeRaw, type RawAnswer } from "../support/raw-http.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

describe("a request whose body is held back", () => {
  /** Sends the first byte of the body, and the rest after this. */
  function hold(path: string, token: string, body: unknown, released: Promise<unknown>): Promise<RawAnswer> {
    const text = JSON.stringify(body);
    const head =
      `POST /api/v1${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`;
    return exchangeRaw(stack.service_url, head + text.slice(0, 1), {
      wait_ms: 15_000,
      later: { when: () => released, bytes: text.slice(1) },
    });
  }
  const block = { kind: "buyer_account", value: "victim", reason: "held back" };
  const after = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, milliseconds));

  /** Held while the other test runs; its body goes on when that has counted the rows. */
  let in_force: Promise<RawAnswer>;
  let judge: () => void = () => undefined;
  beforeAll(async () => {
    const { token } = await stack.db.createKey("slow", ["admin"]);
    const judged = new Promise<void>((resolve) => (judge = resolve));
    in_force = hold("/risk_blocks", token, block, Promise.all([after(5_500), judged]));
  });

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
    judge();
  });

  test("is carried out while its key is in force, however old the look-up is", async () => {
    judge();
    const answer = await in_force;
    expect(answer.status, answer.text).toBe(200);
  });
});

describe("bodies that are still arriving have a budget", () => {
  type Held = { readonly socket: Socket; text: string };

  /** A connection that sends this much of a body, in chunks of this many bytes, and never the rest. */
  function hold(token: string, bytes: number, chunk_bytes: number): Held {
    const { hostname, port } = new URL(stack.service_url);
    const held: Held = { socket: connect(Number(port), hostname), text: "" };
    held.socket.on("data", (data) => (held.text += String(data))).on("error", () => undefined);
    held.socket.write(
      `POST /api/v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n` +
        "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    const chunk = `${chunk_bytes.toString(16)}\r\n${" ".repeat(chunk_bytes)}\r\n`;
    held.socket.write(chunk.repeat(bytes / chunk_bytes));
    onTestFinished(() => void held.socket.destroy());
    return held;
  }
  const answered = (all: readonly Held[]): Held[] => all.filter(({ text }) => text !== "");
  const metric = async (name: string): Promise<number> =>
    Number(
      new RegExp(`^${name} (\\S+)$`, "m").exec(
        await (await fetch(`${stack.operationsUrl()}/metrics`)).text(),
      )?.[1],
    );
  function expectCutOff({ text }: Held): void {
    expect(text).toMatch(/^HTTP\/1\.1 429 /);
    expect(text).toMatch(/^retry-after: 1\r$/m);
    expect(text).toContain('"code":"concurrency_limited"');
  }
  const pays = async (token: string): Promise<number> =>
    (await stack.call("POST", "/payments", checkoutBody(), { authorization: `Bearer ${token}` })).status;

  test("of 40 slow bodies of one key 16 MiB are held; its other requests and other keys go on", async () => {
    const [slow, other] = [
      await stack.db.createKey("slow", ["write"]),
      await stack.db.createKey("other", ["write"]),
    ];
    const before = await metric("pacioli_request_bodies_cut_off_total");
    const others = hold(other.token, 1_000_000, 50_000);
    const held = Array.from({ length: 40 }, () => hold(slow.token, 1_000_000, 50_000));
    await until("the oldest are cut off", async () => answered(held).length >= 24);
    expect(await Promise.all([pays(slow.token), pays(other.token)])).toEqual([202, 202]);
    expect(answered(held).length).toBeLessThanOrEqual(26);
    answered(held).forEach(expectCutOff);
    expect(others.text).toBe("");
    expect((await metric("pacioli_request_bodies_cut_off_total")) - before).toBe(answered(held).length);
  });

  test("bodies in chunks of one byte take no more memory than others", async () => {
    const { token } = await stack.db.createKey("crumbs", ["write"]);
    const before = await metric("process_resident_memory_bytes");
    const held = Array.from({ length: 10 }, () => hold(token, 100_000, 1));
    await until("those who send so are cut off", async () => answered(held).length >= 8);
    answered(held).forEach(expectCutOff);
    expect((await metric("process_resident_memory_bytes")) - before).toBeLessThan(200 * 1_048_576);
    expect(await pays(token)).toBe(202);
  });
});
