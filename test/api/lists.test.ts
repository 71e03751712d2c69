import { afterAll, beforeAll, expect, test } from "vitest";
import { pageOf, type Page } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ environment: { HOSTED_PAGE_SECONDS: "1800" } });
});
afterAll(() => stack.stopAll());

type Row = Record<string, unknown>;

/** Walks a list one row at a time; `between` runs after each page. */
async function walk(path: string, between: () => Promise<void> = async () => undefined): Promise<Row[]> {
  const rows: Row[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const next: Page = await pageOf(
      stack,
      `${path}${path.includes("?") ? "&" : "?"}limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`,
    );
    rows.push(...next.data);
    cursor = next.next_cursor;
    await between();
  }
  return rows;
}

/** 255 bytes each, two of them of characters that JSON writes as two. */
const longIds = (start: string): string[] => [
  start + '"'.repeat(255 - start.length),
  start + "\\".repeat(255 - start.length),
  start.padEnd(6, "-") + "中".repeat(83),
  start.padEnd(7, "-") + "😀".repeat(62),
];

test("lists of the longest ids that are taken are walked to their end", async () => {
  const ids = longIds("long");
  for (const id of ids) {
    expect(Buffer.byteLength(id)).toBe(255);
    await acceptCheckout(stack, { checkout_id: id, buyer_info: { user_id: id, email: "a@example.com" } }, [
      { payment_order_id: id, seller_account: id },
    ]);
    await orderIn(stack, id, "SUCCESS");
  }
  expect((await walk("/payments")).map((row) => row["payment_order_id"])).toEqual(ids.toReversed());
  expect((await walk("/wallets")).map((row) => row["account_id"])).toEqual(ids.toReversed());
  expect((await walk("/ledger/accounts")).map((row) => row["account_id"])).toEqual(
    expect.arrayContaining(ids),
  );
  expect((await walk("/ledger")).filter((row) => row["account_id"] !== null)).toHaveLength(ids.length);
  for (const id of ids) {
    const named = encodeURIComponent(id);
    for (const filter of ["seller_account", "buyer_account", "checkout_id"])
      expect(await walk(`/payments?${filter}=${named}`)).toHaveLength(1);
    expect(await walk(`/ledger?account_id=${named}`)).toHaveLength(1);
    expect(
      await walk(`/ledger/accounts/${encodeURIComponent(`seller:${id}:pending`)}/statement?currency=USD`),
    ).toHaveLength(1);
  }
});

test("a walk of the undecided orders shows each once, though they change their state meanwhile", async () => {
  const ids = longIds("open");
  for (const id of ids) {
    await acceptCheckout(stack, card("tok_authenticationRequired"), [{ payment_order_id: id }]);
    await orderIn(stack, id, "PENDING");
  }
  let turn = 0;
  const shown = (
    await walk("/unresolved_orders", async () => {
      const id = ids[turn % ids.length];
      turn += 1;
      const to = turn % 2 === 0 ? "PENDING" : "UNKNOWN";
      await stack.db.asOwner(
        "update payment_orders set status = 'UNKNOWN' where payment_order_id = $1 and status = 'PENDING'",
        [id],
      );
      if (to === "PENDING")
        await stack.db.asOwner("update payment_orders set status = 'PENDING' where payment_order_id = $1", [
          id,
        ]);
      if (turn > 20) throw new Error("the walk does not end");
    })
  ).map((row) => row["payment_order_id"]);
  expect(shown).toEqual(ids);
});

test.for([
  ["checkout_id", { checkout_id: "中".repeat(86) }, "checkout_id"],
  ["payment_order_id", { order: { payment_order_id: "a\u200bb" } }, "payment_orders[0][payment_order_id]"],
  ["seller_account", { order: { seller_account: " seller" } }, "payment_orders[0][seller_account]"],
  ["user_id", { buyer_info: { user_id: "..", email: "a@example.com" } }, "buyer_info[user_id]"],
] as const)(
  "a %s outside of the alphabet is refused with the field and the rule",
  async ([, { ...changes }, param]) => {
    const { order = {}, ...rest } = changes as { order?: Row };
    const reply = await stack.call("POST", "/payments", {
      checkout_id: "alphabet",
      buyer_info: { user_id: "u", email: "a@example.com" },
      credit_card_info: { token: "tok_visa_4242" },
      payment_orders: [{ payment_order_id: "alphabet", seller_account: "s", amount: "1.00", ...order }],
      ...rest,
    });
    expectProblem(reply, 400, "invalid_request", param);
    expect(reply.json["detail"]).toMatch(
      /^\S+ must be 1 to 255 bytes of UTF-8 without control, invisible or text-direction characters/,
    );
  },
);

test("a capture_id and the ids in paths and filters have the same alphabet", async () => {
  const capture = await stack.call("POST", "/payments/some/capture", { capture_id: "a\u2028b" });
  expectProblem(capture, 400, "invalid_request", "capture_id");
  for (const [path, param] of [
    ["/payments/%E2%80%AEx", "payment_order_id"],
    ["/checkouts/%20x", "checkout_id"],
    ["/wallets/x%C2%A0y", "account_id"],
    ["/payments?seller_account=x%20", "seller_account"],
  ]) {
    expectProblem(await stack.call("GET", path ?? ""), 400, "invalid_request", param);
  }
});
