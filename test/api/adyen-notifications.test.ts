import { randomUUID } from "node:crypto";
import { hmacValidator } from "@adyen/api-library";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyLedger } from "../../src/ledger/ledger.ts";
import { verifyPayments } from "../../src/payments/payments.ts";
import { deadLetters, type Letter } from "../support/answers.ts";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn } from "./requests.ts";

const hmac_key = "c4".repeat(32);
let stack: TestStack;
/** Adyen sends nothing by itself here: each notification is sent when the test says so. */
beforeAll(async () => {
  const simulatorPort = await freePort();
  const adyen = {
    name: "adyen",
    kind: "adyen",
    secret_key_env: "ADYEN_KEY",
    webhook_secrets_env: "ADYEN_HMAC",
    merchant_account: "SimulatorMerchant",
    has_multiple_partial_captures: true,
    return_url: "https://shop.example/",
    api_base: `http://127.0.0.1:${simulatorPort}/adyen`,
  };
  stack = await startTestStack({
    environment: {
      SIMULATOR_PORT: String(simulatorPort),
      ADYEN_KEY: "adyen_test_simulator",
      ADYEN_HMAC: hmac_key,
      PSP_ACCOUNTS: JSON.stringify([adyen]),
      PSP_TIMEOUT_SECONDS: "4",
    },
  });
});
afterAll(() => stack.stopAll());

type Item = {
  readonly eventCode: string;
  readonly merchantReference: string;
  readonly success: boolean;
  readonly pspReference?: string;
  readonly value?: number;
};
/** The reference of the notification. */
async function notify({
  success,
  value = 3_000,
  pspReference = randomUUID().slice(0, 16),
  ...told
}: Item): Promise<string> {
  const item = {
    ...told,
    pspReference,
    success: String(success),
    amount: { value, currency: "USD" },
    eventDate: "2026-01-01T12:00:00+01:00",
    merchantAccountCode: "SimulatorMerchant",
    operations: [],
    paymentMethod: "visa",
    reason: "",
  };
  const hmacSignature = new hmacValidator().calculateHmac(item as never, hmac_key);
  const reply = await stack.call("POST", "/webhooks/adyen", {
    live: "false",
    notificationItems: [{ NotificationRequestItem: { ...item, additionalData: { hmacSignature } } }],
  });
  expect(reply.status).toBe(200);
  return pspReference;
}

/** An authorisation of 100.00 under which a capture of 30.00 waits for Adyen's word. */
async function capturing(): Promise<{ id: string; attempt_id: string; operation_id: string }> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }]);
  const order = await orderIn(stack, id, "AUTHORIZED");
  await stack.call("POST", `/payments/${id}/capture`, {
    capture_id: "one",
    amount: "30.00",
    is_final: false,
  });
  await expect
    .poll(() => stack.db.asOwner("select status from operations where payment_order_id = $1", [id]), {
      timeout: 10_000,
    })
    .toEqual([{ status: "pending" }]);
  const [operation] = await stack.db.asOwner(
    "select operation_id from operations where payment_order_id = $1",
    [id],
  );
  return {
    id,
    attempt_id: String(order.attempts[0]?.attempt_id),
    operation_id: String(operation?.["operation_id"]),
  };
}
const inboxOf = (pspReference: string): Promise<unknown[]> =>
  stack.db.asOwner("select state from webhook_inbox where psp_event_id like '%' || $1 || '%'", [
    pspReference,
  ]);
const lettersAbout = async (id: string): Promise<Letter[]> =>
  (await deadLetters(stack, "limit=25")).filter(({ subject_id }) => subject_id === id);

const operationsOf = (id: string): Promise<Record<string, unknown>[]> =>
  stack.db.asOwner(
    "select operation_id, psp_reference, status, failure_code from operations where payment_order_id = $1 order by operation_id",
    [id],
  );
const referencesOf = (subject_id: unknown): Promise<Record<string, unknown>[]> =>
  stack.db.asOwner("select type, reference from psp_references where subject_id = $1", [subject_id]);
/** What the ledger has of an order's captures: a capture with its part, a reversal with that of its capture. */
const booksOf = async (id: string): Promise<string[]> =>
  (
    await stack.db.asOwner(
      `select concat_ws(' ', t.kind, coalesce(captured.part, t.part)) as name
         from ledger_transactions t
         left join ledger_transactions captured on captured.transaction_id = t.reverses_transaction_id
        where t.subject_type = 'order' and t.subject_id = $1 and t.kind in ('captured', 'reversed')
        order by t.transaction_id`,
      [id],
    )
  ).map(({ name }) => String(name).trim());
/** What the seller has earned, as the wallet says. */
async function pendingOf(seller: string): Promise<unknown> {
  const { json } = await stack.call("GET", `/wallets/${seller}`);
  return (json["balances"] as { pending: string }[] | undefined)?.[0]?.pending ?? "0.00";
}
async function checkoutOf(id: string): Promise<Record<string, unknown>> {
  const [row] = await stack.db.asOwner(
    `select e.is_payment_done, (select array_agg(c.type order by c.event_number) from events c where c.subject_type = 'checkout' and c.subject_id = e.checkout_id) as events
       from payment_events e join payment_orders o on o.checkout_id = e.checkout_id where o.payment_order_id = $1`,
    [id],
  );
  return row ?? {};
}
const faultsInBooks = async (): Promise<unknown[]> =>
  [...(await verifyLedger(stack.db.database)), ...(await verifyPayments(stack.db.database))].flatMap(
    ({ faults }) => faults,
  );

test("an authorisation that ends while a capture is under way ends when Adyen has told of the capture: paid with it", async () => {
  const { id, attempt_id, operation_id } = await capturing();
  const expiry = await notify({
    eventCode: "EXPIRE",
    merchantReference: attempt_id,
    success: true,
    value: 7_000,
  });
  await expect.poll(() => inboxOf(expiry), { timeout: 10_000 }).toEqual([{ state: "applied" }]);
  expect((await stack.call("GET", `/payments/${id}`)).json).toMatchObject({ status: "AUTHORIZED" });
  await notify({ eventCode: "CAPTURE", merchantReference: operation_id, success: true });
  expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "30.00" });
});

test("or given up, if the capture was too late", async () => {
  const { id, attempt_id, operation_id } = await capturing();
  await notify({ eventCode: "EXPIRE", merchantReference: attempt_id, success: true });
  await expect
    .poll(
      () =>
        stack.db.asOwner("select authorization_ended_as from payment_attempts where attempt_id = $1", [
          attempt_id,
        ]),
      { timeout: 10_000 },
    )
    .toEqual([{ authorization_ended_as: "expired" }]);
  await notify({ eventCode: "CAPTURE", merchantReference: operation_id, success: false });
  expect(await orderIn(stack, id, "CANCELED")).toMatchObject({
    status_cause: "expired",
    captured_amount: "0.00",
    operations: [{ status: "failed" }],
  });
});

test("what Adyen tells under its own reference before we have heard that is kept until we have", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }]);
  const {
    attempts: [attempt],
  } = await orderIn(stack, id, "AUTHORIZED");
  await stack.setFaults({ latency_ms: 2_500 });
  await stack.call("POST", `/payments/${id}/capture`, { capture_id: "slow", amount: "30.00" });
  await expect
    .poll(() => stack.db.asOwner("select status from operations where payment_order_id = $1", [id]))
    .toEqual([{ status: "executing" }]);
  const told = await notify({
    eventCode: "CAPTURE",
    merchantReference: String(attempt?.attempt_id),
    success: false,
  });
  await expect.poll(() => inboxOf(told), { timeout: 2_000 }).toEqual([{ state: "unmatched" }]);
  await stack.setFaults({ latency_ms: 0 });
});

test("each capture has the reference that Adyen gave it, beside the payment's own", async () => {
  const { id, attempt_id, operation_id } = await capturing();
  await notify({ eventCode: "CAPTURE", merchantReference: operation_id, success: true });
  await expect.poll(() => operationsOf(id), { timeout: 10_000 }).toMatchObject([{ status: "succeeded" }]);
  await stack.call("POST", `/payments/${id}/capture`, { capture_id: "two", amount: "20.00" });
  await expect
    .poll(() => operationsOf(id), { timeout: 10_000 })
    .toMatchObject([{ status: "succeeded" }, { status: "pending" }]);
  const [first, second] = await operationsOf(id);
  for (const operation of [first, second]) {
    expect(await referencesOf(operation?.["operation_id"])).toContainEqual({
      type: "capture",
      reference: operation?.["psp_reference"],
    });
  }
  expect(first?.["psp_reference"]).not.toBe(second?.["psp_reference"]);
  const [attempt] = await stack.db.asOwner(
    "select psp_reference from payment_attempts where attempt_id = $1",
    [attempt_id],
  );
  expect(await referencesOf(attempt_id)).toEqual([
    { type: "payment", reference: attempt?.["psp_reference"] },
  ]);
});

test("a capture is found by its reference of the account that tells of it; another account may have the same", async () => {
  const [elsewhere, here] = [await capturing(), await capturing()];
  const [{ psp_reference: reference }] = (await operationsOf(here.id)) as [{ psp_reference: string }];
  // The capture of the other account comes first, also in the table.
  await stack.db.asOwner(
    `with theirs as (insert into psp_references (psp, reference, type, subject_id) values ('adyen-us', $1, 'capture', $2)),
          charge as (update payment_attempts set psp = 'adyen-us' where attempt_id = $3)
     update operations set psp = 'adyen-us', psp_reference = $1, due_at = now() + interval '1 hour' where operation_id = $2`,
    [reference, elsewhere.operation_id, elsewhere.attempt_id],
  );
  await stack.db.asOwner("update operations set updated_at = now() where operation_id = $1", [
    here.operation_id,
  ]);
  await notify({
    eventCode: "CAPTURE",
    merchantReference: here.attempt_id,
    success: true,
    pspReference: reference,
  });
  await expect
    .poll(() => operationsOf(here.id), { timeout: 10_000 })
    .toMatchObject([{ status: "succeeded", psp_reference: reference }]);
  expect(await operationsOf(elsewhere.id)).toMatchObject([{ status: "pending" }]);
  await stack.db.asOwner(
    `with charge as (update payment_attempts set psp = 'adyen' where attempt_id = $2)
     update operations set psp = 'adyen', psp_reference = (select reference from psp_references where subject_id = $1 and psp = 'adyen')
      where operation_id = $1`,
    [elsewhere.operation_id, elsewhere.attempt_id],
  );
});

test("a capture that a person makes at Adyen of a payment that is over here is a case for a person", async () => {
  const { id, attempt_id } = await capturing();
  await notify({ eventCode: "EXPIRE", merchantReference: attempt_id, success: true });
  const [operation] = await stack.db.asOwner(
    "select operation_id from operations where payment_order_id = $1",
    [id],
  );
  await notify({
    eventCode: "CAPTURE",
    merchantReference: String(operation?.["operation_id"]),
    success: false,
  });
  await orderIn(stack, id, "CANCELED");
  await notify({ eventCode: "CAPTURE", merchantReference: attempt_id, success: true });
  await expect
    .poll(() => lettersAbout(id), { timeout: 10_000 })
    .toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining("that we did not request") as string }),
    );
});

describe("CAPTURE_FAILED of a payment that is captured at once", () => {
  /** A paid order of 30.00. */
  async function paid(): Promise<{ id: string; attempt_id: string; seller: string }> {
    const seller = `seller_${randomUUID().slice(0, 8)}`;
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ amount: "30.00", seller_account: seller }]);
    const order = await orderIn(stack, id, "SUCCESS");
    return { id, attempt_id: String(order.attempts[0]?.attempt_id), seller };
  }

  test("reverses the seller's credit, makes the order FAILED and opens a dead letter", async () => {
    const { id, attempt_id, seller } = await paid();
    expect(await pendingOf(seller)).toBe("30.00");
    await notify({ eventCode: "CAPTURE_FAILED", merchantReference: attempt_id, success: true });
    const order = await orderIn(stack, id, "FAILED");
    expect(order).toMatchObject({
      status_cause: "capture_failed",
      captured_amount: "0.00",
      wallet_updated: false,
      ledger_updated: false,
      error_code: "capture_failed",
      attempts: [{ status: "declined", failure_code: "capture_failed" }],
    });
    expect(order.transitions.at(-1)).toMatchObject({
      from_status: "SUCCESS",
      to_status: "FAILED",
      cause: "capture_failed",
      actor: "webhook:adyen",
    });
    expect(await pendingOf(seller)).toBe("0.00");
    expect(await booksOf(id)).toEqual(["captured", "reversed"]);
    expect(await lettersAbout(id)).toMatchObject([
      { reason: expect.stringContaining("its money will not come") as string },
    ]);
    expect(await checkoutOf(id)).toMatchObject({
      is_payment_done: false,
      events: ["checkout.created", "checkout.completed", "checkout.reopened"],
    });
    expect(await faultsInBooks()).toEqual([]);
  });

  test("that comes twice, forged, or of another amount changes nothing more", async () => {
    const { id, attempt_id, seller } = await paid();
    const forged = await stack.call("POST", "/webhooks/adyen", {
      live: "false",
      notificationItems: [
        {
          NotificationRequestItem: {
            eventCode: "CAPTURE_FAILED",
            merchantReference: attempt_id,
            success: "true",
            pspReference: "forged",
            amount: { value: 3_000, currency: "USD" },
            merchantAccountCode: "SimulatorMerchant",
            additionalData: { hmacSignature: "AAAA" },
          },
        },
      ],
    });
    expect(forged.status).toBe(403);
    const partial = await notify({
      eventCode: "CAPTURE_FAILED",
      merchantReference: attempt_id,
      success: true,
      value: 2_999,
    });
    await expect.poll(() => inboxOf(partial), { timeout: 10_000 }).toEqual([{ state: "applied" }]);
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "30.00" });
    expect(await lettersAbout(id)).toHaveLength(1);
    const first = await notify({ eventCode: "CAPTURE_FAILED", merchantReference: attempt_id, success: true });
    await orderIn(stack, id, "FAILED");
    await notify({
      eventCode: "CAPTURE_FAILED",
      merchantReference: attempt_id,
      success: true,
      pspReference: first,
    });
    const again = await notify({ eventCode: "CAPTURE_FAILED", merchantReference: attempt_id, success: true });
    await expect.poll(() => inboxOf(again), { timeout: 10_000 }).toEqual([{ state: "applied" }]);
    expect(await pendingOf(seller)).toBe("0.00");
    expect(await booksOf(id)).toHaveLength(2);
    expect(await faultsInBooks()).toEqual([]);
  });

  test("that comes before we have heard that the payment was made ends the same", async () => {
    const seller = `seller_${randomUUID().slice(0, 8)}`;
    await stack.setFaults({ latency_ms: 2_000 });
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ amount: "30.00", seller_account: seller }]);
    const {
      attempts: [attempt],
    } = await orderIn(stack, id, "EXECUTING");
    const attempt_id = String(attempt?.attempt_id);
    await notify({ eventCode: "CAPTURE_FAILED", merchantReference: attempt_id, success: true });
    await orderIn(stack, id, "FAILED");
    const late = await notify({ eventCode: "AUTHORISATION", merchantReference: attempt_id, success: true });
    await expect.poll(() => inboxOf(late), { timeout: 10_000 }).toEqual([{ state: "applied" }]);
    await expect
      .poll(() => stack.effects(`payment_order_id=${id}`), { timeout: 10_000 })
      .toMatchObject({ count: 1 });
    await stack.setFaults({ latency_ms: 0 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await orderIn(stack, id, "FAILED")).toMatchObject({ captured_amount: "0.00" });
    expect(await pendingOf(seller)).toBe("0.00");
    expect(await booksOf(id)).toEqual([]);
    expect(await lettersAbout(id)).toHaveLength(1);
  });

  test("lets the order be charged again, which is booked as a second capture", async () => {
    const { id, attempt_id, seller } = await paid();
    for (const round of [1, 2]) {
      const { attempts } = await orderIn(stack, id, "SUCCESS");
      await notify({
        eventCode: "CAPTURE_FAILED",
        merchantReference: attempts.at(-1)?.attempt_id ?? attempt_id,
        success: true,
      });
      await orderIn(stack, id, "FAILED");
      expect((await stack.call("POST", `/payments/${id}/retry`, {})).status, `round ${round}`).toBe(200);
    }
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "30.00" });
    expect(await pendingOf(seller)).toBe("30.00");
    expect(await booksOf(id)).toEqual(["captured", "reversed", "captured 2", "reversed 2", "captured 3"]);
    expect(await checkoutOf(id)).toMatchObject({ is_payment_done: true });
    expect(await faultsInBooks()).toEqual([]);
  });

  test("and a capture of the same payment that a person repeats at Adyen is a case for a person", async () => {
    const { id, attempt_id, seller } = await paid();
    await notify({ eventCode: "CAPTURE_FAILED", merchantReference: attempt_id, success: true });
    await orderIn(stack, id, "FAILED");
    const [letter] = await lettersAbout(id);
    await stack.call("POST", `/dead_letters/${letter?.dead_letter_id ?? ""}/discard`, { note: "seen" });
    await notify({ eventCode: "CAPTURE", merchantReference: attempt_id, success: true });
    await expect
      .poll(() => lettersAbout(id), { timeout: 10_000 })
      .toContainEqual(expect.objectContaining({ state: "waiting" }));
    expect(await pendingOf(seller)).toBe("0.00");
  });
});

describe("CAPTURE_FAILED of a capture that was booked", () => {
  /** An authorisation of 100.00 of which 30.00 are captured, and whether the rest is released. */
  async function captured(
    is_final: boolean,
  ): Promise<{ id: string; operation_id: string; reference: string; seller: string }> {
    const seller = `seller_${randomUUID().slice(0, 8)}`;
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { capture_method: "manual" }, [
      { amount: "100.00", seller_account: seller },
    ]);
    const {
      attempts: [attempt],
    } = await orderIn(stack, id, "AUTHORIZED");
    await stack.call("POST", `/payments/${id}/capture`, {
      capture_id: "one",
      amount: "30.00",
      is_final: false,
    });
    await expect.poll(() => operationsOf(id), { timeout: 10_000 }).toMatchObject([{ status: "pending" }]);
    const [{ operation_id, psp_reference }] = (await operationsOf(id)) as [
      { operation_id: string; psp_reference: string },
    ];
    if (is_final)
      await notify({ eventCode: "EXPIRE", merchantReference: String(attempt?.attempt_id), success: true });
    if (is_final)
      await expect
        .poll(
          () =>
            stack.db.asOwner(
              "select authorization_ended_as from payment_attempts where payment_order_id = $1",
              [id],
            ),
          { timeout: 10_000 },
        )
        .toEqual([{ authorization_ended_as: "expired" }]);
    await notify({
      eventCode: "CAPTURE",
      merchantReference: operation_id,
      success: true,
      pspReference: psp_reference,
    });
    await expect.poll(() => operationsOf(id), { timeout: 10_000 }).toMatchObject([{ status: "succeeded" }]);
    return { id, operation_id, reference: psp_reference, seller };
  }

  test("gives the amount back to the open authorisation, which can be captured again", async () => {
    const { id, operation_id, reference, seller } = await captured(false);
    expect(await pendingOf(seller)).toBe("30.00");
    await notify({
      eventCode: "CAPTURE_FAILED",
      merchantReference: operation_id,
      success: true,
      pspReference: reference,
    });
    await expect
      .poll(() => operationsOf(id), { timeout: 10_000 })
      .toMatchObject([{ status: "failed", failure_code: "capture_failed" }]);
    expect(await orderIn(stack, id, "AUTHORIZED")).toMatchObject({ captured_amount: "0.00" });
    expect(await pendingOf(seller)).toBe("0.00");
    expect(await lettersAbout(id)).toHaveLength(1);
    expect(
      (
        await stack.call("POST", `/payments/${id}/capture`, {
          capture_id: "two",
          amount: "100.00",
          is_final: false,
        })
      ).status,
    ).toBe(202);
    expect(await faultsInBooks()).toEqual([]);
  });

  test("makes an order whose authorisation is over FAILED, and holds nothing any more", async () => {
    const { id, operation_id, reference, seller } = await captured(true);
    await orderIn(stack, id, "SUCCESS");
    await notify({
      eventCode: "CAPTURE_FAILED",
      merchantReference: operation_id,
      success: true,
      pspReference: reference,
    });
    expect(await orderIn(stack, id, "FAILED")).toMatchObject({
      status_cause: "capture_failed",
      captured_amount: "0.00",
      operations: [{ status: "failed" }],
    });
    expect(await pendingOf(seller)).toBe("0.00");
    expect(await faultsInBooks()).toEqual([]);
    // A retry authorises anew.
    expect((await stack.call("POST", `/payments/${id}/retry`, {})).status).toBe(200);
    await orderIn(stack, id, "AUTHORIZED");
    expect(await faultsInBooks()).toEqual([]);
  });

  test("is the end of that capture: nobody can say that it was made after all", async () => {
    const { id, operation_id, reference, seller } = await captured(false);
    const about = { merchantReference: operation_id, success: true };
    await notify({ ...about, eventCode: "CAPTURE_FAILED", pspReference: reference });
    await expect.poll(() => operationsOf(id), { timeout: 10_000 }).toMatchObject([{ status: "failed" }]);
    const said = { outcome: "succeeded", note: "Adyen shows it." };
    const resolved = await stack.call("POST", `/operations/${operation_id}/resolve`, said);
    expect(resolved, resolved.text).toMatchObject({ status: 409, json: { code: "state_conflict" } });
    // Somebody repeated it at Adyen under our reference.
    await notify({ ...about, eventCode: "CAPTURE", pspReference: "REPEATED" });
    await expect.poll(() => inboxOf("REPEATED"), { timeout: 10_000 }).toEqual([{ state: "applied" }]);
    expect(await operationsOf(id)).toMatchObject([{ status: "failed" }]);
    const reason = expect.stringContaining("reports a capture as done") as string;
    expect(await lettersAbout(id)).toContainEqual(expect.objectContaining({ kind: "discrepancy", reason }));
    const second = { capture_id: "two", amount: "70.00" };
    const another = await stack.call("POST", `/payments/${id}/capture`, second);
    expect(another.status).toBe(202);
    const states = [{ status: "failed" }, { status: "pending" }];
    await expect.poll(() => operationsOf(id), { timeout: 10_000 }).toMatchObject(states);
    expect(await pendingOf(seller)).toBe("0.00");
    expect(await faultsInBooks()).toEqual([]);
  });

  test("of another reference than the capture has is a case for a person and changes nothing", async () => {
    const { id, operation_id, seller } = await captured(false);
    await notify({ eventCode: "CAPTURE_FAILED", merchantReference: operation_id, success: true });
    await expect.poll(() => lettersAbout(id), { timeout: 10_000 }).toHaveLength(1);
    expect(await operationsOf(id)).toMatchObject([{ status: "succeeded" }]);
    expect(await pendingOf(seller)).toBe("30.00");
  });

  test("that overtakes the report that it was made ends the same: failed, and nothing is booked", async () => {
    const { id, operation_id } = await capturing();
    const [{ psp_reference }] = (await operationsOf(id)) as [{ psp_reference: string }];
    await notify({
      eventCode: "CAPTURE_FAILED",
      merchantReference: operation_id,
      success: true,
      pspReference: psp_reference,
    });
    await expect.poll(() => operationsOf(id), { timeout: 10_000 }).toMatchObject([{ status: "failed" }]);
    const late = await notify({
      eventCode: "CAPTURE",
      merchantReference: operation_id,
      success: true,
      pspReference: psp_reference,
    });
    await expect
      .poll(
        () =>
          stack.db.asOwner("select state from webhook_inbox where psp_event_id = $1", [
            `CAPTURE:${late}:true`,
          ]),
        { timeout: 10_000 },
      )
      .toEqual([{ state: "applied" }]);
    expect(await operationsOf(id)).toMatchObject([{ status: "failed" }]);
    expect(await orderIn(stack, id, "AUTHORIZED")).toMatchObject({ captured_amount: "0.00" });
    expect(await lettersAbout(id)).toEqual([]);
  });
});
