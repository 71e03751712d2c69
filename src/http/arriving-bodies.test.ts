import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { ArrivingBodies } from "./arriving-bodies.ts";

const limits = { body_bytes_max: 20_000, sender_bytes_max: 30_000, total_bytes_max: 50_000 };

type Arrival = {
  readonly payload: PassThrough;
  readonly outcome: Promise<unknown>;
  readonly isOpen: () => boolean;
};

/** A body of which these bytes have come. */
async function arrive(
  bodies: ArrivingBodies,
  address: string,
  bytes: number,
  announced = Number.NaN,
): Promise<Arrival> {
  const payload = new PassThrough();
  let isOpen = true;
  const outcome = bodies
    .read(payload, address, announced)
    .then(
      (body) => body.length,
      (error: unknown) => error,
    )
    .finally(() => (isOpen = false));
  if (bytes > 0) payload.write(Buffer.alloc(bytes));
  await new Promise(setImmediate);
  return { payload, outcome, isOpen: () => isOpen };
}

const cutOff = expect.objectContaining({
  code: "concurrency_limited",
  status: 429,
  retry_after_seconds: 1,
}) as unknown;

test("a body comes back whole, and leaves its room", async () => {
  const bodies = new ArrivingBodies(limits);
  const payload = new PassThrough();
  const whole = bodies.read(payload, "a", 11);
  payload.write("one ");
  payload.write("webhook");
  await new Promise(setImmediate);
  expect(bodies.bytes).toBeGreaterThanOrEqual(11);
  payload.end();
  expect((await whole).toString()).toBe("one webhook");
  expect(bodies.bytes).toBe(0);
});

test.each([
  ["one chunk", [5_000], 5_000],
  ["one chunk, of a length not announced", [5_000], Number.NaN],
  ["chunks of one byte", Array.from({ length: 20 }, () => 1), 20],
  ["chunks of all sizes", [1, 4_000, 3, 9_000, 1, 6_000], Number.NaN],
  ["the largest body", [1, 19_999], Number.NaN],
] as const)("a body in %s comes back byte for byte", async (_name, sizes, announced) => {
  const payload = new PassThrough();
  const whole = new ArrivingBodies(limits).read(payload, "a", announced);
  const sent = randomBytes(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const size of sizes) payload.write(sent.subarray(at, (at += size)));
  payload.end();
  expect((await whole).equals(sent)).toBe(true);
});

test("a single chunk that is the whole body is neither copied nor counted", async () => {
  const bodies = new ArrivingBodies(limits);
  const payload = new PassThrough();
  const whole = bodies.read(payload, "a", 5_000);
  const sent = Buffer.alloc(5_000, "x");
  payload.write(sent);
  await new Promise(setImmediate);
  expect(bodies.bytes).toBe(0);
  payload.end();
  expect((await whole).buffer).toBe(sent.buffer);
});

test("an empty body is empty", async () => {
  const { payload, outcome } = await arrive(new ArrivingBodies(limits), "a", 0);
  payload.end();
  expect(await outcome).toBe(0);
});

test("when one address holds too much, its oldest body is cut off and no other", async () => {
  const bodies = new ArrivingBodies(limits);
  const other = await arrive(bodies, "b", 9_000);
  const [first, second, third] = [
    await arrive(bodies, "a", 14_000),
    await arrive(bodies, "a", 14_000),
    await arrive(bodies, "a", 14_000),
  ];
  expect(await first.outcome).toEqual(cutOff);
  expect([other, second, third].map(({ isOpen }) => isOpen())).toEqual([true, true, true]);
});

test("when all addresses together hold too much, the oldest body of all is cut off", async () => {
  const bodies = new ArrivingBodies(limits);
  const slow = await arrive(bodies, "a", 19_000);
  const others = [await arrive(bodies, "b", 19_000), await arrive(bodies, "c", 19_000)];
  expect(await slow.outcome).toEqual(cutOff);
  expect(others.map(({ isOpen }) => isOpen())).toEqual([true, true]);
  expect(bodies.bytes).toBeLessThan(limits.total_bytes_max);
});

test("however many hold bodies open, a webhook that arrives at once gets through, from their address too", async () => {
  const bodies = new ArrivingBodies(limits);
  for (let index = 0; index < 100; index++) await arrive(bodies, `slow-${index % 7}`, 4_000);
  for (const address of ["psp", "slow-1"]) {
    const { payload, outcome } = await arrive(bodies, address, 5_000);
    payload.end();
    expect(await outcome).toBe(5_000);
  }
});

test("an announced body takes no room before it arrives", async () => {
  const bodies = new ArrivingBodies(limits);
  const announced = [];
  for (let index = 0; index < 100; index++) announced.push(await arrive(bodies, "a", 0, 20_000));
  expect(bodies.bytes).toBe(0);
  expect(announced.every(({ isOpen }) => isOpen())).toBe(true);
});

test("a body in chunks of one byte counts with the memory of its chunks", async () => {
  const bodies = new ArrivingBodies(limits);
  const { payload, outcome } = await arrive(bodies, "a", 0);
  for (let index = 0; index < 100; index++) payload.write("x");
  expect(await outcome).toEqual(cutOff);
  expect(bodies.bytes).toBe(0);
});

test("a body larger than one may be is refused, before it is read if its length is announced", async () => {
  const bodies = new ArrivingBodies(limits);
  const announced = await arrive(bodies, "a", 0, 20_001);
  const received = await arrive(bodies, "a", 20_001);
  for (const { outcome } of [announced, received])
    expect(await outcome).toMatchObject({ code: "payload_too_large", param: "body" });
  expect(bodies.bytes).toBe(0);
});

test("who hangs up leaves their room", async () => {
  const bodies = new ArrivingBodies(limits);
  const outcome = Promise.withResolvers<unknown>();
  const server = createServer(
    (request) => void bodies.read(request, "a", Number.NaN).then(outcome.resolve, outcome.resolve),
  ).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1", () =>
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n${"x".repeat(5_000)}`),
  );
  await expect.poll(() => bodies.bytes).toBeGreaterThanOrEqual(5_000);
  socket.destroy();
  expect(await outcome.promise).toMatchObject({ code: "invalid_request", status: 400 });
  expect(bodies.bytes).toBe(0);
});
