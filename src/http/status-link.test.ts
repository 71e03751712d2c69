import { expect, test } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { assertStatusLink, statusUrl } from "./status-link.ts";

const settings = { secret_key: "0123456789abcdef0123456789abcdef", status_link_seconds: 3_600 };
const checkout = { checkout_id: "shop/1 ü", created_at: "2026-11-27T10:00:00.999999Z" };
const url = statusUrl(settings, checkout);
const token = url.split("?token=")[1] ?? "";

const open = (
  clock: TestClock,
  secret = settings.secret_key,
  id = checkout.checkout_id,
  given = token,
): void => assertStatusLink(secret, id, given, clock.now());

test("a link opens its checkout until its time is over, and is the same whenever it is made", () => {
  expect(url).toMatch(/^\/pay\/shop%2F1%20%C3%BC\?token=\d+\.[\w-]{32}$/);
  const clock = new TestClock("2026-11-27T10:00:01Z");
  for (const seconds of [0, 3_598]) {
    clock.advance(seconds);
    expect(() => open(clock)).not.toThrow();
    expect(statusUrl(settings, checkout)).toBe(url);
  }
  clock.advance(1);
  expect(() => open(clock)).toThrow(expect.objectContaining({ code: "link_expired" }));
});

test("nobody can lengthen a link's life or turn it to another checkout", () => {
  const clock = new TestClock("2026-11-27T10:00:01Z");
  const [expires = "", mac = ""] = token.split(".");
  const forged = [
    `${Number(expires) + 1}.${mac}`,
    `${expires}.${mac.slice(1)}x`,
    `${expires}.${mac}x`,
    mac,
    "",
    `0${expires}.${mac}`,
    `${expires}\n.${mac}`,
  ];
  for (const wrong of forged) {
    expect(() => open(clock, settings.secret_key, checkout.checkout_id, wrong), wrong).toThrow(
      expect.objectContaining({ code: "not_found" }),
    );
  }
  for (const [secret, id] of [
    [settings.secret_key, "shop/2"],
    ["another secret of thirty-two bytes", checkout.checkout_id],
  ] as const) {
    expect(() => open(clock, secret, id)).toThrow(expect.objectContaining({ code: "not_found" }));
  }
});
