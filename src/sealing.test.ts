import { expect, test } from "vitest";
import { createSealing } from "./sealing.ts";

const key = "k".repeat(32);
const sealing = createSealing(key, "test");

test("opens what it sealed, and seals the same text differently each time", () => {
  expect(sealing.open(sealing.seal("pi_1_secret_ü"))).toBe("pi_1_secret_ü");
  expect(sealing.seal("a")).not.toBe(sealing.seal("a"));
});

test("opens nothing that was sealed with another key or for another purpose", () => {
  const sealed = sealing.seal("secret");
  expect(createSealing("l".repeat(32), "test").open(sealed)).toBeUndefined();
  expect(createSealing(key, "other").open(sealed)).toBeUndefined();
});

test("opens nothing in which one bit was changed or that is cut short", () => {
  const bytes = Buffer.from(sealing.seal("secret"), "base64");
  for (let index = 0; index < bytes.length; index++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
    expect(sealing.open(changed.toString("base64"))).toBeUndefined();
  }
  expect(sealing.open(bytes.subarray(0, 20).toString("base64"))).toBeUndefined();
});
