import { expect, test } from "vitest";
import { addressIn, clientAddress } from "./client-address.ts";

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["203.0.113.7:443", "203.0.113.7"],
  ["2001:db8::1", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ["2001:0DB8:0:0::1", "2001:db8::1"],
  ["::ffff:cb00:7107", "::ffff:203.0.113.7"],
  ["fe80::1%eth0", "fe80::1"],
  ["[fe80::1%4242424242424242]:443", "fe80::1"],
])("the address in %s is %s", (text, address) => {
  expect(addressIn(text)).toBe(address);
});

test.each([
  "",
  "unknown",
  "4242424242424242",
  "4242 4242 4242 4242",
  "203.0.113.7:",
  "203.0.113.7:443:1",
  "203.0.113",
  "203.0.113.7, 4242424242424242",
  "[203.0.113.7",
  "[2001:db8::1]4242424242424242",
  "%2001:db8::1",
  "1".repeat(16_000),
  "[".repeat(16_000),
])("%s is no address", (text) => {
  expect(addressIn(text)).toBeUndefined();
});

test("what is no address gives way to the connection's, and a connection that has ended has none", () => {
  const from = (ip: unknown, remoteAddress: string | undefined): string =>
    clientAddress({ ip, socket: { remoteAddress } } as Parameters<typeof clientAddress>[0]);
  expect(from("198.51.100.7:1", "127.0.0.1")).toBe("198.51.100.7");
  expect(from("_hidden", "127.0.0.1")).toBe("127.0.0.1");
  expect(from(undefined, undefined)).toBe("unknown");
});
