import { expect, test } from "vitest";
import { createNextActionSealing, nextActionOf } from "./next-action.ts";

const sealing = createNextActionSealing("k".repeat(32));
const action = { type: "redirect_to_url", redirect_url: "https://bank.example/3ds", client_secret: null };
const expires_at = "2026-11-27T12:00:00.000000Z";
const none = { next_action: null, next_action_expires_at: null, page_url: null, page_expires_at: null };
const confirming = {
  ...none,
  status: "pending",
  next_action: sealing.seal(JSON.stringify(action)),
  next_action_expires_at: expires_at,
} as const;
const paging = {
  ...none,
  status: "pending",
  page_url: "https://psp.example/page",
  page_expires_at: expires_at,
} as const;

test("a buyer's step is shown until it ends and not from then on, though the attempt still waits", () => {
  const page = { type: "hosted_page", redirect_url: paging.page_url, client_secret: null, expires_at };
  for (const [attempt, shown] of [
    [confirming, { ...action, expires_at }],
    [paging, page],
  ] as const) {
    expect(nextActionOf([attempt], sealing, new Date("2026-11-27T11:59:59.999Z"))).toEqual(shown);
    expect(nextActionOf([attempt], sealing, new Date(expires_at))).toBeNull();
  }
});

test("a step that has ended does not hide the step of another attempt", () => {
  const at = new Date("2026-11-27T12:30:00Z");
  const later = { ...confirming, next_action_expires_at: "2026-11-27T13:00:00.000000Z" };
  expect(nextActionOf([confirming, paging, later], sealing, at)).toMatchObject(action);
});

test("only a pending attempt has a step for the buyer", () => {
  const at = new Date("2026-11-27T11:00:00Z");
  for (const status of ["executing", "unknown", "succeeded", "declined", "canceled"] as const) {
    expect(
      nextActionOf(
        [
          { ...confirming, status },
          { ...paging, status },
        ],
        sealing,
        at,
      ),
    ).toBeNull();
  }
});

test("a step that was sealed under another SECRET_KEY is shown as unreadable, not as a failure", () => {
  const at = new Date("2026-11-27T11:00:00Z");
  expect(nextActionOf([confirming], createNextActionSealing("l".repeat(32)), at)).toEqual({
    type: "unreadable",
    redirect_url: null,
    client_secret: null,
    expires_at,
  });
});
