import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyPayments } from "../../src/payments/payments.ts";
import { acceptCheckout, expectProblem, orderIn, sentLongAgo, until } from "./requests.ts";
import { failed, lease_seconds, openResolutionDesk, seen, type ResolutionDesk } from "./resolutions.ts";

let desk: ResolutionDesk;
beforeAll(async () => {
  desk = await openResolutionDesk();
});
afterAll(() => desk.stack.stopAll());

describe("an attempt that a person has seen succeed at the PSP", () => {
  test("is booked once under the reference that the person gave, and the audit log says who said so", async () => {
    const { id, attempt_id } = await desk.undecided();
    const said = seen();
    const reply = await desk.resolve(attempt_id, said);
    expect(reply, reply.text).toMatchObject({
      status: 202,
      json: {
        object: "payment_attempt",
        attempt_id,
        resolution: { outcome: "succeeded", psp_reference: said["psp_reference"] },
      },
    });
    const order = await orderIn(desk.stack, id, "SUCCESS");
    expect(order).toMatchObject({
      captured_amount: "29.99",
      psp_token: said["psp_reference"],
      wallet_updated: true,
    });
    expect(order.transitions.at(-1)).toMatchObject({
      to_status: "SUCCESS",
      cause: "psp_succeeded",
      actor: expect.stringMatching(/^key:/) as string,
    });
    expect(await desk.capturesOf(id)).toHaveLength(1);
    expect(await desk.auditsOf(attempt_id)).toEqual([
      { action: "payment_attempt.resolve", reason: "Seen in the dashboard." },
    ]);
    expect(await desk.lettersAbout(id)).toEqual([]);
  });

  test("gives the same answer when it is said again, and 409 when something else is said", async () => {
    const { id, attempt_id } = await desk.undecided();
    const said = seen();
    await desk.resolve(attempt_id, said);
    const again = await desk.resolve(attempt_id, said);
    expect(again, again.text).toMatchObject({ status: 202, json: { resolution: { outcome: "succeeded" } } });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expectProblem(await desk.resolve(attempt_id, seen()), 409, "state_conflict");
    expectProblem(await desk.resolve(attempt_id, failed), 409, "state_conflict");
    await orderIn(desk.stack, id, "SUCCESS");
    expect((await desk.resolve(attempt_id, said)).status).toBe(202);
    expect(await desk.capturesOf(id)).toHaveLength(1);
  });

  test("is refused with another amount or currency, another attempt's reference, or no reference", async () => {
    const first = await desk.undecided();
    const second = await desk.undecided();
    expectProblem(
      await desk.resolve(first.attempt_id, seen({ amount: "29.98" })),
      422,
      "resolution_amount_mismatch",
      "amount",
    );
    expectProblem(
      await desk.resolve(first.attempt_id, seen({ currency: "EUR" })),
      422,
      "resolution_amount_mismatch",
      "amount",
    );
    expectProblem(
      await desk.resolve(first.attempt_id, seen({ psp_reference: undefined })),
      400,
      "invalid_request",
      "psp_reference",
    );
    expectProblem(
      await desk.resolve(first.attempt_id, seen({ outcome: "authorized" })),
      400,
      "invalid_request",
      "outcome",
    );
    const said = seen();
    expect((await desk.resolve(first.attempt_id, said)).status).toBe(202);
    expectProblem(await desk.resolve(second.attempt_id, said), 409, "state_conflict", "psp_reference");
    expect(await orderIn(desk.stack, second.id, "UNKNOWN")).toMatchObject({ status: "UNKNOWN" });
  });

  test("of which two persons say the same reference for two attempts at once is resolved for one of them", async () => {
    const attempts = await Promise.all([desk.undecided(), desk.undecided()]);
    const said = seen();
    const replies = await Promise.all(attempts.map(({ attempt_id }) => desk.resolve(attempt_id, said)));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([202, 409]);
  });

  test("with another attempt's charge is a dead letter and a fault in the books when the PSP says so", async () => {
    const [one, other] = [await desk.undecided(), await desk.undecided()];
    await desk.resolve(one.attempt_id, seen({ psp_reference: "pi_of_other" }));
    await orderIn(desk.stack, one.id, "SUCCESS");
    expect(await desk.lettersAbout(one.id)).toEqual([]);
    await desk.stripeTells(other.attempt_id, "pi_of_other");
    await orderIn(desk.stack, other.id, "SUCCESS");
    const reason = expect.stringContaining(`it belongs to ${one.attempt_id}`) as string;
    expect(await desk.lettersAbout(other.id)).toMatchObject([{ kind: "discrepancy", reason }]);
    const faults = (await verifyPayments(desk.stack.db.database)).flatMap((check) => check.faults);
    expect(faults).toMatchObject([
      { subject: `attempt ${one.attempt_id}` },
      { subject: `order ${other.id}`, problem: expect.stringContaining("no id of stripe") as string },
      { subject: `attempt ${other.attempt_id}` },
    ]);
  });

  test("has no open dead letter any more, nor its void; one about another attempt stays", async () => {
    const { id, attempt_id } = await desk.undecided();
    await desk.stack.db.asOwner(
      `insert into operations (operation_id, attempt_id, lane, psp, payment_order_id, kind, currency, is_final, void_cause, created_by)
       values ('op_of_resolved', $2::text, 'attempt:' || $2::text, 'stripe', $1, 'void', 'USD', true, 'canceled', 'test')`,
      [id, attempt_id],
    );
    await desk.stack.db.asOwner(
      `insert into dead_letters (dead_letter_id, queue, subject_id, kind, payload, reason, attempt_count)
       select reason || $1, queue, subject_id, kind, jsonb_build_object('attempt_id', attempt_id), reason, 1
         from (values ('payment_execute', $1, 'work', $2, 'asked eight times'), ('payment_execute', $1, 'discrepancy', $2, 'about this one'),
                      ('payment_execute', $1, 'discrepancy', 'att_other', 'about another'), ('operation_execute', 'op_of_resolved', 'work', $2, 'about the void'))
              as l (queue, subject_id, kind, attempt_id, reason)`,
      [id, attempt_id],
    );
    await desk.resolve(attempt_id, seen({ dead_letter_ids: [`about this one${id}`] }));
    const letters = await desk.stack.db.asOwner(
      "select reason, state, decision_note from dead_letters where payload ->> 'attempt_id' in ($1, 'att_other') order by reason",
      [attempt_id],
    );
    const closed = { state: "discarded", decision_note: "resolved as succeeded: Seen in the dashboard." };
    expect(letters).toEqual([
      { reason: "about another", state: "waiting", decision_note: null },
      { reason: "about the void", ...closed },
      { reason: "about this one", ...closed },
      { reason: "asked eight times", ...closed },
    ]);
  });

  test("becomes AUTHORIZED when it was only to be authorised", async () => {
    const { id, attempt_id } = await desk.undecided("29.99", { capture_method: "manual" });
    expect((await desk.resolve(attempt_id, seen({ outcome: "authorized" }))).status).toBe(202);
    expect(await orderIn(desk.stack, id, "AUTHORIZED")).toMatchObject({ captured_amount: "0.00" });
  });

  test("on a page pays every order of the checkout, once each, and only with the total", async () => {
    const changes = { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/back" } };
    const { order_ids } = await acceptCheckout(desk.stack, changes, [
      { amount: "20.00" },
      { amount: "9.99" },
    ]);
    const { attempts } = await orderIn(desk.stack, order_ids[0], "PENDING");
    const attempt_id = attempts[0]?.attempt_id ?? "none";
    expectProblem(
      await desk.resolve(attempt_id, seen({ amount: "20.00" })),
      422,
      "resolution_amount_mismatch",
      "amount",
    );
    expect((await desk.resolve(attempt_id, seen())).status).toBe(202);
    for (const id of order_ids) {
      await orderIn(desk.stack, id, "SUCCESS");
      expect(await desk.capturesOf(id)).toHaveLength(1);
    }
  });

  test("and that was decided meanwhile cannot be resolved any more", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(desk.stack);
    const { attempts } = await orderIn(desk.stack, id, "SUCCESS");
    expectProblem(await desk.resolve(attempts[0]?.attempt_id ?? "", seen()), 409, "state_conflict");
    expectProblem(await desk.resolve("att_none", seen()), 404, "not_found", "attempt_id");
  });

  test.each([" pi_seen", "pi_seen ", "\u00a0pi_seen", "pi_seen\u2028", " "])(
    "is not booked under an id that was copied with what stands around it: %j",
    async (psp_reference) => {
      const { attempt_id } = await desk.undecided();
      for (const said of [seen({ psp_reference }), { ...failed, psp_reference }])
        expectProblem(await desk.resolve(attempt_id, said), 400, "invalid_request", "psp_reference");
    },
  );
});

describe.concurrent("an attempt that a person has seen fail", () => {
  test("frees the order for a new attempt under a new key, but not before any call that was under way has ended", async () => {
    const { id, attempt_id } = await desk.undecided();
    const { json } = await desk.resolve(attempt_id, failed);
    const { due_at } = json["resolution"] as { due_at: string };
    const [waited] = await desk.stack.db.asOwner(
      "select extract(epoch from resolution_due_at - sent_at)::float8 as seconds from payment_attempts where attempt_id = $1",
      [attempt_id],
    );
    expect(waited).toEqual({ seconds: 2 * lease_seconds });
    expectProblem(await desk.stack.call("POST", `/payments/${id}/retry`, {}), 409, "state_conflict");
    const order = await orderIn(desk.stack, id, "FAILED");
    expect(Date.parse(order.transitions.at(-1)?.occurred_at ?? "")).toBeGreaterThanOrEqual(
      Date.parse(due_at),
    );
    expect(order).toMatchObject({
      error_code: "resolved_by_person",
      error_message: failed.note,
      attempts: [{ status: "declined" }],
    });
    expect(
      (await desk.stack.call("POST", `/payments/${id}/retry`, { card_token: "tok_visa_4242" })).status,
    ).toBe(200);
    const paid = await orderIn(desk.stack, id, "SUCCESS");
    expect(paid.attempts).toHaveLength(2);
    expect(paid.attempts[1]?.psp_key).not.toBe(attempt_id);
    expect(await desk.stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
  });

  test("frees the order at once when nothing was sent for long", async () => {
    const { id, attempt_id } = await desk.undecided();
    await sentLongAgo(desk.stack, attempt_id);
    const { json } = await desk.resolve(attempt_id, failed);
    expect(Date.parse((json["resolution"] as { due_at: string }).due_at)).toBeLessThanOrEqual(Date.now());
    await orderIn(desk.stack, id, "FAILED");
  });

  test("is not asked about any more, and nothing is sent again", async () => {
    const { id, attempt_id } = await desk.undecided();
    await desk.resolve(attempt_id, failed);
    const due = (seconds: number): Promise<unknown> =>
      desk.stack.db.asOwner(
        `update payment_attempts set resolution_due_at = now() + interval '${seconds} s' where attempt_id = $1`,
        [attempt_id],
      );
    const inquiries = (): Promise<unknown[]> =>
      desk.stack.db.asOwner("select inquiry_count from payment_attempts where attempt_id = $1", [attempt_id]);
    await due(60);
    // The one that may have been under way ends.
    await new Promise((wait) => setTimeout(wait, 1_500));
    const before = await inquiries();
    // Inquiries are one to two seconds apart by now.
    await new Promise((wait) => setTimeout(wait, 4_500));
    expect(await inquiries()).toEqual(before);
    await due(0);
    await orderIn(desk.stack, id, "FAILED");
  });

  test("opens a dead letter when the PSP later says that it succeeded, and books nothing", async () => {
    const { id, attempt_id } = await desk.undecided();
    await sentLongAgo(desk.stack, attempt_id);
    await desk.resolve(attempt_id, failed);
    await orderIn(desk.stack, id, "FAILED");
    await desk.stripeTells(attempt_id, "pi_late");
    await until("a dead letter waits", async () => (await desk.lettersAbout(id)).length > 0);
    expect(await desk.capturesOf(id)).toEqual([]);
    expect(await orderIn(desk.stack, id, "FAILED")).toMatchObject({ captured_amount: "0.00" });
  });
});

describe("a PSP's report against what a person said", () => {
  test("a refusal after a resolution as succeeded opens a dead letter, and what was booked stays", async () => {
    const { id, attempt_id } = await desk.undecided();
    await desk.resolve(attempt_id, seen({ psp_reference: "pi_refused" }));
    await orderIn(desk.stack, id, "SUCCESS");
    await desk.stripeTells(attempt_id, "pi_refused", {
      type: "payment_intent.canceled",
      intent: { status: "canceled", amount_received: 0 },
    });
    await until("a dead letter waits", async () => (await desk.lettersAbout(id)).length > 0);
    expect(await orderIn(desk.stack, id, "SUCCESS")).toMatchObject({ captured_amount: "29.99" });
  });

  test("the same success changes nothing; one under another reference opens a dead letter", async () => {
    const { id, attempt_id } = await desk.undecided();
    await desk.resolve(attempt_id, seen({ psp_reference: "pi_same" }));
    await orderIn(desk.stack, id, "SUCCESS");
    await desk.stripeTells(attempt_id, "pi_same");
    await until(
      "the webhook is applied",
      async () =>
        (
          await desk.stack.db.asOwner(
            "select 1 from webhook_inbox where attempt_id = $1 and state = 'applied'",
            [attempt_id],
          )
        ).length === 1,
    );
    expect(await desk.lettersAbout(id)).toEqual([]);
    await desk.stripeTells(attempt_id, "pi_other");
    await until("a dead letter waits", async () => (await desk.lettersAbout(id)).length > 0);
    expect(await desk.capturesOf(id)).toHaveLength(1);
  });

  test("a success before a resolution as failed takes effect is booked, and a person is told", async () => {
    const { id, attempt_id } = await desk.undecided();
    await desk.resolve(attempt_id, failed);
    await desk.stripeTells(attempt_id, "pi_in_time");
    expect(await orderIn(desk.stack, id, "SUCCESS", "FAILED")).toMatchObject({
      status: "SUCCESS",
      psp_token: "pi_in_time",
    });
    expect(await desk.lettersAbout(id)).toMatchObject([
      { reason: expect.stringContaining("a person resolved") as string },
    ]);
  });
});
