import { afterAll, beforeAll, expect, test } from "vitest";
import { orderOf, type OrderDetail } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, orderIn, until } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

/** What an order's references are, with the attempt's number or the capture in place of the subject. */
const shownOf = ({ references, attempts, operations }: OrderDetail): unknown[] =>
  references.map(({ type, reference, subject_id }) => [
    attempts.find(({ attempt_id }) => attempt_id === subject_id)?.attempt_number ??
      operations.find(({ operation_id }) => operation_id === subject_id)?.capture_id,
    type,
    reference.replace(/_.*/, ""),
  ]);

test("an order shows every id of its charge and of each capture, and none of another order", async () => {
  const [id, other] = (
    await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }, { amount: "5.00" }])
  ).order_ids;
  if (other === undefined) throw new Error("the checkout has one order only");
  await orderIn(stack, other, "AUTHORIZED");
  await orderIn(stack, id, "AUTHORIZED");
  const charge = [
    [1, "charge", "ch"],
    [1, "payment_intent", "pi"],
  ];
  expect(shownOf(await orderOf(stack, id))).toEqual(charge);
  for (const capture_id of ["first", "second"]) {
    await stack.call("POST", `/payments/${id}/capture`, { capture_id, amount: "10.00", is_final: false });
    await until(`${capture_id} is made`, async () =>
      (await orderOf(stack, id)).operations.every(({ status }) => status === "succeeded"),
    );
  }
  expect(shownOf(await orderOf(stack, id))).toEqual([
    ...charge,
    ["first", "balance_transaction", "txn"],
    ["second", "balance_transaction", "txn"],
  ]);
  expect(shownOf(await orderOf(stack, other))).toEqual(charge);
});

test("the ids of each attempt are shown with it, the first attempt's first", async () => {
  const [id] = (await acceptCheckout(stack, card("tok_card_declined"))).order_ids;
  await orderIn(stack, id, "FAILED");
  await stack.call("POST", `/payments/${id}/retry`, { card_token: "tok_visa_4242" });
  const order = await orderIn(stack, id, "SUCCESS");
  expect(shownOf(order)).toEqual(
    [1, 2].flatMap((attempt_number) => [
      [attempt_number, "charge", "ch"],
      [attempt_number, "payment_intent", "pi"],
    ]),
  );
  expect(order.references).toContainEqual({
    type: "payment_intent",
    reference: order.psp_token,
    subject_id: order.attempts[1]?.attempt_id,
  });
});

test("orders that are paid together on a page show the ids of its one attempt", async () => {
  const page = { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/return" } };
  const { order_ids } = await acceptCheckout(stack, page, [{ amount: "10.00" }, { amount: "5.55" }]);
  for (const id of order_ids)
    expect(shownOf(await orderIn(stack, id, "PENDING"))).toEqual([[1, "checkout_session", "cs"]]);
});
