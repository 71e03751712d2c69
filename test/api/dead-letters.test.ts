import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deadLetters, type Letter } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import {
  type SentCheckout,
  acceptCheckout,
  card,
  development_actor,
  expectProblem,
  orderIn,
  path,
  until,
} from "./requests.ts";

let stack: TestStack;
let givenUp: SentCheckout;
beforeAll(async () => {
  // At a success rate of 0 every good card meets the transient processing error.
  stack = await startTestStack({
    environment: {
      PSP_SUCCESS_RATE: "0",
      MAX_RETRY_ATTEMPTS: "2",
      RETRY_BACKOFF_BASE: "1",
      PSP_UNKNOWN_QUIET_SECONDS: "1",
    },
  });
  givenUp = await acceptCheckout(
    stack,
    {},
    Array.from({ length: 4 }, () => ({})),
  );
  for (const id of givenUp.order_ids) await orderIn(stack, id, "FAILED");
});
afterAll(() => stack.stopAll());

const letters = (query: string): Promise<Letter[]> => deadLetters(stack, query);

async function letterOf(index: number): Promise<Letter> {
  const letter = (await letters("state=waiting&limit=100")).find(
    (one) => one.subject_id === givenUp.order_ids[index],
  );
  if (letter === undefined) throw new Error(`no waiting dead letter for order ${index}`);
  return letter;
}

test("an order that is given up is retried by hand with another card, by a new attempt; its dead letter is decided by that", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_visa_4242"));
  await orderIn(stack, id, "FAILED");
  const letter = (await letters("state=waiting&limit=100")).find((one) => one.subject_id === id);
  expect(letter).toBeDefined();
  expect(
    await stack.call("POST", `/payments/${id}/retry`, { card_token: "tok_card_declined" }),
  ).toMatchObject({ status: 200, json: { status: "EXECUTING" } });
  const order = await orderIn(stack, id, "FAILED");
  expect(order).toMatchObject({ error_code: "card_declined", retry_count: 2 });
  expect(new Set(order.attempts.map((attempt) => attempt.psp_key)).size).toBe(3);
  expect((await stack.call("GET", `/dead_letters/${letter?.dead_letter_id}`)).json).toMatchObject({
    state: "redriven",
    decision_note: "The order was retried.",
  });
});

test.for(["4242424242424242", 17, ""])("a retry with %j for a card token is refused", async (card_token) => {
  const reply = await stack.call("POST", `/payments/${givenUp.order_ids[3]}/retry`, { card_token });
  expect(reply.status).toBe(400);
  expect(reply.json).toMatchObject({ param: "card_token" });
});

test("a PSP that stores a 500 for every key and charges nothing: each key is asked about, and only then another is tried", async () => {
  const { order_ids } = await acceptCheckout(stack, card("tok_fault_500_before"));
  const order = await orderIn(stack, order_ids[0], "FAILED");
  expect(path(order)).toBe("NOT_STARTED EXECUTING UNKNOWN RETRY_SCHEDULED EXECUTING UNKNOWN FAILED");
  expect(order.attempts).toMatchObject([
    { status: "declined", failure_code: "psp_error" },
    { status: "declined", failure_code: "psp_error" },
  ]);
  expect(await stack.effects(`payment_order_id=${order_ids[0]}`)).toMatchObject({ count: 0 });
});

describe("an order whose retries are exhausted", () => {
  test("is FAILED after as many attempts as MAX_RETRY_ATTEMPTS allows (R82)", async () => {
    const order = await orderIn(stack, givenUp.order_ids[0], "FAILED");
    expect(order).toMatchObject({
      status_cause: "retries_exhausted",
      error_code: "processing_error",
      retry_count: 1,
    });
    expect(path(order)).toBe("NOT_STARTED EXECUTING RETRY_SCHEDULED EXECUTING FAILED");
    expect(await stack.effectsSummary()).toMatchObject({ charges: 0 });
  });

  test("lies in the dead letters with its reason, each order once, and can be inspected", async () => {
    const all = (await letters("limit=100")).filter((letter) =>
      givenUp.order_ids.includes(letter.subject_id),
    );
    expect(all.map((letter) => letter.subject_id).toSorted()).toEqual([...givenUp.order_ids].toSorted());
    const letter = await letterOf(0);
    const { json } = await stack.call("GET", `/dead_letters/${letter.dead_letter_id}`);
    expect(json).toEqual({
      object: "dead_letter",
      dead_letter_id: expect.stringMatching(/^dead_/) as string,
      queue: "payment_execute",
      subject_id: givenUp.order_ids[0],
      kind: "work",
      payload: {
        payment_order_id: givenUp.order_ids[0],
        attempt_id: expect.stringMatching(/^att_/) as string,
      },
      reason: expect.stringContaining("Given up after 2 attempts") as string,
      attempt_count: 2,
      state: "waiting",
      decided_by: null,
      decision_note: null,
      created_at: expect.any(String) as string,
      decided_at: null,
      history: {
        payment_order_id: givenUp.order_ids[0],
        operations: [],
        webhooks: [],
        attempts: [
          expect.objectContaining({ attempt_number: 1, status: "declined" }),
          expect.objectContaining({ attempt_number: 2, status: "declined" }),
        ],
        transitions: expect.arrayContaining([
          expect.objectContaining({ to_status: "FAILED", cause: "retries_exhausted" }),
        ]) as unknown[],
      },
    });
    expect(await letters("queue=webhook_apply")).toEqual([]);
    expect(
      (await letters("state=redriven")).filter((one) => givenUp.order_ids.includes(one.subject_id)),
    ).toEqual([]);
  });

  test("can be discarded with a note, once, and stays FAILED", async () => {
    const { dead_letter_id } = await letterOf(1);
    expectProblem(
      await stack.call("POST", `/dead_letters/${dead_letter_id}/discard`, {}),
      400,
      "invalid_request",
      "note",
    );
    const reply = await stack.call("POST", `/dead_letters/${dead_letter_id}/discard`, {
      note: "the buyer paid in cash",
    });
    expect(reply).toMatchObject({
      status: 200,
      json: {
        state: "discarded",
        decided_by: development_actor,
        decision_note: "the buyer paid in cash",
        decided_at: expect.any(String) as string,
      },
    });
    for (const [action, body] of [
      ["discard", { note: "again" }],
      ["redrive", {}],
    ] as const) {
      expectProblem(
        await stack.call("POST", `/dead_letters/${dead_letter_id}/${action}`, body),
        409,
        "state_conflict",
      );
    }
    expect(await letters("state=discarded")).toMatchObject([{ dead_letter_id }]);
    await orderIn(stack, givenUp.order_ids[1] ?? "", "FAILED");
  });

  test("redriven while the fault lasts, it comes back as a new dead letter", async () => {
    const { dead_letter_id } = await letterOf(2);
    expect((await stack.call("POST", `/dead_letters/${dead_letter_id}/redrive`, {})).status).toBe(200);
    await until("the order is given up again", async () =>
      (await letters("state=waiting&limit=100")).some(
        (letter) => letter.subject_id === givenUp.order_ids[2] && letter.dead_letter_id !== dead_letter_id,
      ),
    );
    expect((await orderIn(stack, givenUp.order_ids[2] ?? "", "FAILED")).attempts).toHaveLength(3);
  });

  test("redriven after the fault has passed, it is paid once, even if twenty redrive it at once", async () => {
    await stack.setFaults({ success_rate: 1 });
    const { dead_letter_id } = await letterOf(3);
    const replies = await Promise.all(
      Array.from({ length: 20 }, () =>
        stack.call("POST", `/dead_letters/${dead_letter_id}/redrive`, { note: "the PSP is well again" }),
      ),
    );
    expect(replies.map((reply) => reply.status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 19 }, () => 409),
    ]);
    const order = await orderIn(stack, givenUp.order_ids[3] ?? "", "SUCCESS");
    expect(order.transitions.at(-2)).toMatchObject({
      from_status: "FAILED",
      to_status: "EXECUTING",
      cause: "redrive",
      actor: development_actor,
    });
    expect(await stack.effects(`payment_order_id=${givenUp.order_ids[3]}`)).toMatchObject({ count: 1 });
  });
});

test("at PSP_SUCCESS_RATE one half, with two attempts, some orders are paid, some given up, and each paid one is charged once", async () => {
  await stack.setFaults({ success_rate: 0.5 });
  const { order_ids } = await acceptCheckout(
    stack,
    {},
    Array.from({ length: 60 }, () => ({})),
  );
  const orders = await Promise.all(order_ids.map((id) => orderIn(stack, id, "SUCCESS", "FAILED")));
  await stack.setFaults({ success_rate: 1 });
  const paid = orders.filter((order) => order.status === "SUCCESS");
  // 45 of 60 are to be expected; outside 25 to 59 lies less than one run in a million.
  expect(paid.length).toBeGreaterThan(25);
  expect(paid.length).toBeLessThan(60);
  expect(paid.some((order) => order.retry_count === 1)).toBe(true);
  expect(await stack.effectsSummary()).toMatchObject({ duplicate_orders: [] });
  for (const id of order_ids) {
    expect((await stack.effects(`payment_order_id=${id}`)).count).toBe(
      orders[order_ids.indexOf(id)]?.status === "SUCCESS" ? 1 : 0,
    );
  }
});

test("a hard decline is no dead letter: there is nothing to repair", async () => {
  const { order_ids } = await acceptCheckout(stack, card("tok_card_declined"));
  await orderIn(stack, order_ids[0], "FAILED");
  expect((await letters("limit=100")).map((letter) => letter.subject_id)).not.toContain(order_ids[0]);
});
