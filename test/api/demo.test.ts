import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onServer, serverUrl } from "../support/database.ts";

let printed = "";
let errors = "";
let exitCode: unknown;

beforeAll(async () => {
  const demo = spawn(process.execPath, [join(import.meta.dirname, "../../demo/main.ts")], {
    // Settings that would change the demo's amounts, if it listened to them.
    env: {
      ...process.env,
      DATABASE_URL: serverUrl(),
      COMMISSION_BASIS_POINTS: "500",
      PSP_SUCCESS_RATE: "0.5",
      RISK_ORDER_MAX: "USD:1.00",
      FORCE_COLOR: undefined,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  [printed, errors, [exitCode]] = await Promise.all([
    text(demo.stdout),
    text(demo.stderr),
    once(demo, "exit"),
  ]);
}, 90_000);

afterAll(async () => {
  await onServer(serverUrl(), "drop database if exists pacioli_demo with (force)");
  await onServer(serverUrl(), "drop database if exists pacioli_demo_simulator with (force)");
});

test("the demo's claims are all true, and it exits 0 with nothing on standard error", () => {
  expect(
    { exitCode, errors, broken: printed.split("\n").filter((line) => line.includes("✗")) },
    printed,
  ).toEqual({ exitCode: 0, errors: "", broken: [] });
  expect(printed).toMatch(/\nAll \d\d checks passed \(\d+\.\d s\)\. Everything is stopped\.\n/);
});

test("the demo shows every step: checkout, execution, wallets, ledger, balance, repetition, failures, kill, counts, captures, books", () => {
  const headings = printed.split("\n").filter((line) => /^\d+\. /.test(line));
  expect(headings).toHaveLength(12);
  for (const line of [
    /order-bob +NOT_STARTED → EXECUTING → SUCCESS +pi_/,
    /seller_charlie +15\.50 +0\.00 +15\.50 +USD/,
    /captured +order-bob +psp:stripe:clearing +29\.99\n +seller:seller_bob:pending +29\.99\n/,
    /trial balance +45\.49 +45\.49 +USD/,
    /✓ sent again: the same answer, all \d+ bytes of it/,
    /✓ a new checkout sent 50 times at once: \d+ times 202/,
    /100\.00 USD with tok_card_declined +NOT_STARTED → EXECUTING → FAILED/,
    /NOT_STARTED → EXECUTING → RETRY_SCHEDULED → EXECUTING → SUCCESS/,
    /✓ kill -9 \d+: Pacioli is gone/,
    /NOT_STARTED → EXECUTING → AUTHORIZED → SUCCESS/,
    /charges at the PSP +5 +152\.49/,
    /✓ debits equal credits in every currency \(1 checked\)/,
  ])
    expect(printed).toMatch(line);
});

test("the demo's output can be read through a pipe: no colours, no line over 110 characters, about a hundred lines", () => {
  // oxlint-disable-next-line no-control-regex -- the character that begins a colour is looked for
  expect(printed).not.toMatch(/\u001B/);
  expect(printed.split("\n").filter((line) => line.length > 110)).toEqual([]);
  expect(printed.split("\n").length).toBeLessThanOrEqual(125);
});
