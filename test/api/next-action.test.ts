import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import type { OrderDetail } from "../support/answers.ts";
import { idIn } from "../support/checked.ts";
import { simulatorKey } from "../support/simulator.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import {
  acceptCheckout,
  checkoutWaiting,
  expectProblem,
  orderIn,
  path,
  sendCheckout,
  until,
} from "./requests.ts";
import { newSecret } from "./statuses.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

const return_url = "https://shop.example/thanks?order=1";
const challenged = { credit_card_info: { token: "tok_authenticationRequired", return_url } };
const buyer_action_seconds = 6;
const webhook_secret = newSecret();

let stack: TestStack;
/** One whose buyer never answers the bank; its time runs while the other tests do. */
let unanswered: string;
let unanswered_action: OrderDetail["next_action"];
beforeAll(async () => {
  stack = await startTestStack({
    has_webhooks: true,
    environment: {
      BUYER_ACTION_SECONDS: String(buyer_action_seconds),
      PSP_STRIPE_WEBHOOK_SECRET: webhook_secret,
      SIMULATOR_WEBHOOK_SECRET: webhook_secret,
    },
  });
  const { order_ids } = await acceptCheckout(stack, challenged);
  unanswered = order_ids[0];
  unanswered_action = await nextAction(unanswered);
});
afterAll(async () => {
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  await stack.stopAll();
});

async function nextAction(id: string): Promise<OrderDetail["next_action"]> {
  return (await orderIn(stack, id, "PENDING")).next_action;
}

/** A genuine webhook of ours about the order's attempt, once it is applied. */
async function tell(
  id: string,
  { attempts: [attempt] }: OrderDetail,
  type: string,
  intent: Record<string, unknown>,
): Promise<void> {
  const attempt_id = attempt?.attempt_id ?? "";
  const [known] = await stack.db.asOwner("select psp_reference from payment_attempts where attempt_id = $1", [
    attempt_id,
  ]);
  const own = typeof known?.["psp_reference"] === "string" ? { id: known["psp_reference"] } : {};
  const event = stripeEvent(
    { attempt_id, payment_order_id: id, amount: 2_999 },
    { type, intent: { ...own, ...intent } },
  );
  await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, webhook_secret) });
  const event_id = idIn(event);
  await until(
    "the webhook is applied",
    async () =>
      (
        await stack.db.asOwner("select 1 from webhook_inbox where psp_event_id = $1 and state = 'applied'", [
          event_id,
        ])
      ).length === 1,
  );
}
const attemptOf = async (id: string): Promise<Record<string, unknown>> =>
  (
    await stack.db.asOwner(
      "select psp_reference, inquiry_count from payment_attempts where payment_order_id = $1",
      [id],
    )
  )[0] ?? {};
const referenceOf = async (id: string): Promise<string> => String((await attemptOf(id))["psp_reference"]);
const inquiriesOf = async (id: string): Promise<number> => Number((await attemptOf(id))["inquiry_count"]);
const asking = {
  status: "requires_action",
  client_secret: "pi_secret_1",
  next_action: { type: "redirect_to_url", redirect_to_url: { url: "https://b.example/1" } },
};

/** What the buyer's browser does on the bank's page. */
async function answerBank(
  action: OrderDetail["next_action"],
  result: "complete" | "fail",
): Promise<Response> {
  return fetch(action?.redirect_url ?? "", {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({ result }),
  });
}

describe("a card token that its bank wants confirmed", () => {
  test("waits for the buyer, who is told where to go and until when, and is charged once after that", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, challenged);
    const action = await nextAction(id);
    expect(action).toMatchObject({ type: "redirect_to_url", client_secret: null });
    const seconds = (Date.parse(action?.expires_at ?? "") - Date.now()) / 1_000;
    expect(seconds).toBeGreaterThan(buyer_action_seconds - 4);
    expect(seconds).toBeLessThanOrEqual(buyer_action_seconds);

    const back = await answerBank(action, "complete");
    expect(back.status).toBe(303);
    expect(back.headers.get("location")).toContain("https://shop.example/thanks?order=1&payment_intent=pi_");
    const paid = await orderIn(stack, id, "SUCCESS");
    expect(path(paid)).toBe("NOT_STARTED EXECUTING PENDING SUCCESS");
    expect(paid).toMatchObject({ next_action: null });
    expect((await stack.effects(`payment_order_id=${id}`)).count).toBe(1);
  });

  test("without a return_url gives the client secret for the PSP's own library", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { credit_card_info: { token: "tok_authenticationRequired" } });
    expect(await nextAction(id)).toMatchObject({
      type: "use_stripe_sdk",
      redirect_url: null,
      client_secret: expect.stringMatching(/^pi_\w+_secret_\w+$/) as string,
    });
  });

  test("fails when the buyer fails the bank's check, and nothing is charged", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, challenged);
    await answerBank(await nextAction(id), "fail");
    expect(await orderIn(stack, id, "FAILED")).toMatchObject({ next_action: null });
    expect((await stack.effects(`payment_order_id=${id}`)).count).toBe(0);
  });

  test("can be authorised and captured by hand after the confirmation", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { ...challenged, capture_method: "manual" });
    await answerBank(await nextAction(id), "complete");
    expect(path(await orderIn(stack, id, "AUTHORIZED"))).toBe("NOT_STARTED EXECUTING PENDING AUTHORIZED");
  });

  test("is shown unchanged after webhooks about it, which are stored without the action", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, challenged);
    const action = await nextAction(id);
    expect(action).toMatchObject({ type: "redirect_to_url" });
    await tell(id, await orderIn(stack, id, "PENDING"), "payment_intent.requires_action", asking);
    expect(await nextAction(id)).toEqual(action);
  });

  test("stays when a webhook comes late that says there is nothing left to do; the PSP is asked, and shows it", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, challenged);
    const action = await nextAction(id);
    expect(action).toMatchObject({ type: "redirect_to_url" });
    const asked = await inquiriesOf(id);
    await tell(id, await orderIn(stack, id, "PENDING"), "payment_intent.processing", {
      status: "processing",
      next_action: null,
    });
    expect(await nextAction(id)).toEqual(action);
    await until("the PSP is asked", async () => (await inquiriesOf(id)) > asked, 4);
    expect(await nextAction(id)).toEqual(action);
  });

  test("ends when the PSP, asked after such a webhook, says so, so that the payment is not voided as expired", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, challenged);
    expect(await nextAction(id)).toMatchObject({ type: "redirect_to_url" });
    const reference = await referenceOf(id);
    // From here on the PSP shows an intent that waits for nobody, and is asked about that one.
    const form = new URLSearchParams({ amount: "2999", currency: "usd" });
    const made = await fetch(`${stack.simulator_url}/v1/payment_intents`, {
      method: "POST",
      headers: { authorization: `Bearer ${simulatorKey}` },
      body: form,
    });
    const other = idIn(await made.text());
    await stack.db.asOwner(
      `with changed as (update payment_attempts set psp_reference = $2 where psp_reference = $1 returning psp, attempt_id)
       insert into psp_references (psp, reference, type, subject_id) select psp, $2, 'payment_intent', attempt_id from changed`,
      [reference, other],
    );
    await tell(id, await orderIn(stack, id, "PENDING"), "payment_intent.processing", {
      status: "processing",
      next_action: null,
    });
    await until(
      "the step is gone",
      async () =>
        (
          await stack.db.asOwner(
            "select 1 from payment_attempts where payment_order_id = $1 and next_action is null and next_action_expires_at is null",
            [id],
          )
        ).length === 1,
      4,
    );
  });

  test("is shown again, with the same end, after its outcome was unknown in between", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, challenged);
    const action = await nextAction(id);
    expect(action).toMatchObject({ type: "redirect_to_url" });
    await tell(id, await orderIn(stack, id, "PENDING"), "payment_intent.processing", { status: "brand_new" });
    await until("it is pending again", async () =>
      path(await orderIn(stack, id, "PENDING", "UNKNOWN")).endsWith("UNKNOWN PENDING"),
    );
    expect(await nextAction(id)).toEqual(action);
  });

  test("is kept encrypted: neither the address nor the secret stands in the attempt's row", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, challenged);
    const action = await nextAction(id);
    const [row] = await stack.db.asOwner(
      "select a::text as text, next_action from payment_attempts a where payment_order_id = $1",
      [id],
    );
    expect(String(row?.["next_action"]).length).toBeGreaterThan(40);
    expect(row?.["text"]).not.toContain(new URL(action?.redirect_url ?? "").pathname.split("/").at(-1));
  });

  test("is given up at the PSP when the buyer's time is over: the order is canceled as expired, and the bank's page is closed", async () => {
    expect(path(await orderIn(stack, unanswered, "CANCELED"))).toBe("NOT_STARTED EXECUTING PENDING CANCELED");
    expect(await orderIn(stack, unanswered, "CANCELED")).toMatchObject({
      status_cause: "expired",
      next_action: null,
    });
    await answerBank(unanswered_action, "complete");
    expect((await stack.effects(`payment_order_id=${unanswered}`)).count).toBe(0);
  });
});

describe("Prefer: wait", () => {
  test("answers with the outcome and the next action where the PSP knows them in time", async () => {
    const { reply, order_ids } = await checkoutWaiting(stack, "wait=5", challenged);
    expect(reply.headers.get("preference-applied")).toBe("wait=5");
    expect(reply.json).toMatchObject({
      payment_orders: [{ payment_order_id: order_ids[0], status: "PENDING" }],
      next_action: { type: "redirect_to_url", redirect_url: expect.stringMatching(/^http/) as string },
      status_url: expect.stringMatching(/^\/pay\//) as string,
    });
    const paid = await checkoutWaiting(stack, "wait=5", {});
    expect(paid.reply.json).toMatchObject({
      payment_event_status: "COMPLETE",
      payment_orders: [{ status: "SUCCESS" }],
      next_action: null,
    });
  });

  test("answers with the next action although a webhook without it came first", async () => {
    await stack.setFaults({ latency_ms: 1_500 });
    const waiting = checkoutWaiting(stack, "wait=5", challenged);
    const newest = async (): Promise<string> =>
      String(
        (
          await stack.db.asOwner(
            "select payment_order_id as id from payment_attempts where status = 'executing'",
          )
        )[0]?.["id"] ?? "",
      );
    await until("the charge is under way", async () => (await newest()) !== "");
    const id = await newest();
    await tell(id, await orderIn(stack, id, "EXECUTING"), "payment_intent.requires_action", asking);
    expect((await waiting).reply.json).toMatchObject({
      payment_orders: [{ payment_order_id: id, status: "PENDING" }],
      next_action: { type: "redirect_to_url" },
    });
    await stack.setFaults({ latency_ms: 0 });
  });

  test("answers at its end with what is known by then, and the payment goes on", async () => {
    await stack.setFaults({ latency_ms: 2_500 });
    const start = performance.now();
    const {
      reply,
      order_ids: [id],
    } = await checkoutWaiting(stack, "wait=1", {});
    expect(performance.now() - start).toBeLessThan(2_400);
    expect(reply.json).toMatchObject({ payment_orders: [{ status: "EXECUTING" }], next_action: null });
    await stack.setFaults({ latency_ms: 0 });
    await orderIn(stack, id, "SUCCESS");
  });

  test("that cannot be read is ignored, and without it the answer is the stored one, byte for byte", async () => {
    const odd = await checkoutWaiting(stack, "wait=soon, respond-async", {});
    expect(odd.reply.headers.get("preference-applied")).toBeNull();
    const first = await sendCheckout(stack);
    await until(
      "it is paid",
      async () => (await stack.call("GET", `/payments/${first.order_ids[0]}`)).json["status"] === "SUCCESS",
    );
    expect((await stack.call("POST", "/payments", first.body)).text).toBe(first.reply.text);
  });
});

test("a return_url that is not an https URL is refused by name, and nothing is stored", async () => {
  const {
    reply,
    order_ids: [id],
  } = await sendCheckout(stack, {
    credit_card_info: { token: "tok_visa_4242", return_url: "javascript:alert(1)" },
  });
  expectProblem(reply, 400, "invalid_request", "credit_card_info[return_url]");
  expect((await stack.call("GET", `/payments/${id}`)).status).toBe(404);
});
