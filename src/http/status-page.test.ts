import { expect, test } from "vitest";
import { statusOf } from "./status-page.ts";

const ordersIn = (...statuses: readonly ("PENDING" | "SUCCESS" | "FAILED" | "CANCELED")[]) => ({
  payment_orders: statuses.map((status) => ({ status, error_code: null })),
});
const expires_at = "2026-11-27T12:00:00.000000Z";
const bank = {
  type: "redirect_to_url",
  redirect_url: "https://bank.example/3ds",
  client_secret: null,
  expires_at,
};
const library = { type: "use_stripe_sdk", redirect_url: null, client_secret: "pi_1_secret", expires_at };
const page = {
  type: "hosted_page",
  redirect_url: "https://psp.example/page",
  client_secret: null,
  expires_at,
};

test("a step at the bank is a link there, one in the PSP's library sends the buyer back to the shop's page", () => {
  const label = "Confirm with your bank";
  expect(statusOf(ordersIn("PENDING"), bank)).toMatchObject({
    state: "action_needed",
    next_url: bank.redirect_url,
    next_label: label,
  });
  const shops = statusOf(ordersIn("PENDING"), library);
  expect(shops).toMatchObject({ state: "action_needed", next_url: null, next_label: null });
  expect(shops.text).toContain("go back to the shop's page");
  expect(JSON.stringify(shops)).not.toContain(library.client_secret);
});

test("the PSP's page is a link without a step, and without either the buyer waits", () => {
  expect(statusOf(ordersIn("PENDING"), page)).toMatchObject({
    state: "pending",
    next_url: page.redirect_url,
    next_label: "Go to the payment page",
  });
  expect(statusOf(ordersIn("PENDING"), null)).toMatchObject({
    state: "pending",
    next_url: null,
    next_label: null,
  });
});

test("what is final has no step, whatever else is known", () => {
  for (const [status, state] of [
    ["SUCCESS", "paid"],
    ["FAILED", "failed"],
    ["CANCELED", "canceled"],
  ] as const) {
    expect(statusOf(ordersIn(status), bank)).toMatchObject({
      state,
      is_final: true,
      next_url: null,
      next_label: null,
    });
  }
});
