import { expect, test } from "vitest";
import { isTooWide } from "./proxy-networks.ts";

test.for([
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.0.2.7",
  "2001:db8::1",
  "2001:db8::/32",
  "fc00::/7",
  "fd00::/8",
  "::ffff:10.0.0.0/104",
])("%s is no wider than a private network", (network) => {
  expect(isTooWide(network)).toBe(false);
});

test.for(["0.0.0.0/0", "0.0.0.0/1", "::/0", "8000::/1", "2000::/3", "f800::/5", "::ffff:0:0/96"])(
  "%s has strangers in it",
  (network) => {
    expect(isTooWide(network)).toBe(true);
  },
);
