import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import {
  acceptCheckout,
  development_actor,
  expectProblem,
  orderIn,
  path,
  replyOf,
  sendCheckout,
  until,
} from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      HOSTED_PAGE_SECONDS: "4",
      SIMULATOR_SESSION_SECONDS_MIN: "1",
      PSP_BREAKER_OPEN_SECONDS: "1",
    },
  });
});
afterAll(() => stack.stopAll());

const hosted = (return_url = "https://shop.example/return"): Record<string, unknown> => ({
  credit_card_info: undefined,
  hosted_page: { return_url },
});

describe("the registration (R34 to R37)", () => {
  test("the answer has the PSP's page and our status page; the token is stored, one attempt covers the checkout, nothing is charged", async () => {
    const { reply, order_ids, checkout_id } = await acceptCheckout(stack, hosted(), [
      { amount: "10.00" },
      { amount: "5.55" },
    ]);
    expect(reply.json).toMatchObject({
      hosted_page_url: expect.stringMatching(new RegExp(`^${stack.simulator_url}/c/pay/cs_`)) as string,
      status_url: expect.stringMatching(/^\/pay\/.+\?token=\d{10}\.[\w-]{32}$/) as string,
    });
    for (const id of order_ids) {
      const order = await orderIn(stack, id, "PENDING");
      expect(path(order)).toBe("NOT_STARTED EXECUTING PENDING");
      expect(order).toMatchObject({
        psp_token: expect.stringMatching(/^cs_/) as string,
        attempts: [{ status: "pending", page_token: expect.stringMatching(/^cs_/) as string }],
      });
    }
    expect(
      await stack.db.asOwner(
        "select amount_minor::text, payment_order_id from payment_attempts where checkout_id = $1",
        [checkout_id],
      ),
    ).toEqual([{ amount_minor: "1555", payment_order_id: null }]);
    expect(await stack.effects(`checkout_id=${checkout_id}`)).toMatchObject({ count: 0 });
  });

  test("the same POST again, also ten at once and under an Idempotency-Key, gets the same bytes and no second page (R35, R216)", async () => {
    const { body, reply } = await sendCheckout(stack, hosted());
    const again = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        stack.call(
          "POST",
          "/payments",
          body,
          index < 5 ? {} : { "idempotency-key": `hosted-${String(body["checkout_id"])}` },
        ),
      ),
    );
    for (const other of again) expect([other.status, other.text]).toEqual([202, reply.text]);
    const [attempts] = await stack.db.asOwner(
      "select count(*)::int as count from payment_attempts where checkout_id = $1",
      [body["checkout_id"]],
    );
    expect(attempts).toEqual({ count: 1 });
  });

  test.for([
    ["neither card nor page", { credit_card_info: undefined }, "credit_card_info"],
    ["both", { hosted_page: { return_url: "https://shop.example" } }, "hosted_page"],
    ["a return URL that is none", hosted("nowhere"), "hosted_page[return_url]"],
    ["plain HTTP to another machine", hosted("http://shop.example/"), "hosted_page[return_url]"],
    ["a script for a return URL", hosted("javascript:alert(1)"), "hosted_page[return_url]"],
    ["a password in the return URL", hosted("https://user:secret@shop.example/"), "hosted_page[return_url]"],
  ] as const)("%s is refused and nothing is stored", async ([, changes, param]) => {
    const { reply, checkout_id } = await sendCheckout(stack, changes);
    expectProblem(reply, 400, "invalid_request", param);
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).status).toBe(404);
  });

  test("two currencies are refused: a page is one charge", async () => {
    const { reply } = await sendCheckout(stack, hosted(), [{}, { currency: "EUR" }]);
    expectProblem(reply, 400, "invalid_request", "payment_orders[1][currency]");
  });

  test("an amount that the PSP cannot take is refused by name, and nothing is stored", async () => {
    const { reply, order_ids } = await sendCheckout(stack, hosted(), [
      { amount: "1.230", currency: "BHD" },
      { amount: "1.234", currency: "BHD" },
    ]);
    expectProblem(reply, 400, "amount_not_supported", "payment_orders[1][amount]");
    expect((await stack.call("GET", `/payments/${order_ids[0]}`)).status).toBe(404);
  });

  test("a page that the PSP refuses to open: the orders are FAILED, and the same POST says so again", async () => {
    await stack.restartSimulator({ SIMULATOR_SESSION_SECONDS_MIN: "1800" });
    const { body, reply, order_ids } = await sendCheckout(stack, hosted());
    expectProblem(reply, 422, "page_refused");
    expect(await orderIn(stack, order_ids[0], "FAILED")).toMatchObject({ status_cause: "psp_refused" });
    expectProblem(await stack.call("POST", "/payments", body), 422, "page_refused");
    await stack.restartSimulator();
  });

  test("while the PSP is gone the checkout is stored and the answer is 503; when it is back the same POST gets the page", async () => {
    await stack.simulator.kill();
    const { body, reply } = await sendCheckout(stack, hosted());
    expectProblem(reply, 503, "psp_unavailable");
    await stack.restartSimulator();
    await until(
      "the page is there",
      async () => (await stack.call("POST", "/payments", body)).status === 202,
    );
  });
});

describe("a page that nobody pays", () => {
  test("expires: every order is CANCELED with the reason, nothing is charged, and the status page says so", async () => {
    const { order_ids, checkout_id, reply } = await acceptCheckout(stack, hosted(), [{}, {}]);
    const state = async (): Promise<unknown> =>
      (await fetch(`${stack.service_url}${String(reply.json["status_url"]).replace("?", "/state?")}`)).json();
    expect(await state()).toMatchObject({ state: "pending", is_final: false });
    for (const id of order_ids) {
      const order = await orderIn(stack, id, "CANCELED");
      expect(path(order)).toBe("NOT_STARTED EXECUTING PENDING CANCELED");
      expect(order).toMatchObject({
        status_cause: "expired",
        error_code: "expired",
        attempts: [{ status: "canceled" }],
      });
    }
    expect(await state()).toMatchObject({ state: "expired", is_final: true });
    expect(await stack.effects(`checkout_id=${checkout_id}`)).toMatchObject({ count: 0 });
  });
});

describe("the status page", () => {
  test("its link opens one checkout only: without the token, with a changed one or for another checkout there is nothing", async () => {
    const [mine, other] = [await acceptCheckout(stack), await acceptCheckout(stack)];
    const { reply } = await acceptCheckout(stack, hosted());
    const url = String(reply.json["status_url"]);
    expect((await fetch(stack.service_url + url)).status).toBe(200);
    for (const wrong of [
      url.replace(/\?.*/, ""),
      `${url.slice(0, -1)}~`,
      url.replace(/\/pay\/[^?]+/, `/pay/${mine.checkout_id}`),
      `/pay/${other.checkout_id}?token=${"x".repeat(32)}`,
    ]) {
      expect((await fetch(stack.service_url + wrong)).status).toBeGreaterThanOrEqual(400);
      expect((await fetch(stack.service_url + wrong)).status).toBeLessThan(500);
    }
  });

  const look = async (url: string): Promise<{ status: number; type: string; text: string; state: Reply }> => {
    const page = await fetch(stack.service_url + url);
    const state = await replyOf(await fetch(stack.service_url + url.replace("?", "/state?")));
    return {
      status: page.status,
      type: String(page.headers.get("content-type")),
      text: await page.text(),
      state,
    };
  };

  test("its link expires: the page says so in plain words, and the state is 410", async () => {
    const { checkout_id, body, reply } = await acceptCheckout(stack, hosted());
    expect(await look(String(reply.json["status_url"]))).toMatchObject({ status: 200 });
    // Counted from the checkout's creation: the same POST gives the link of an older checkout.
    await stack.db.asOwner(
      "update payment_events set created_at = created_at - interval '31 days' where checkout_id = $1",
      [checkout_id],
    );
    const old = String((await stack.call("POST", "/payments", body)).json["status_url"]);
    const { status, type, text, state } = await look(old);
    expect({ status, type }).toEqual({ status: 410, type: "text/html; charset=utf-8" });
    expect(text).toContain("The link has expired.");
    expect(text).not.toContain(checkout_id);
    expectProblem(state, 410, "link_expired");
    const [expires = "", mac = ""] = (old.split("token=")[1] ?? "").split(".");
    const lengthened = await look(old.replace(`${expires}.`, `${Number(expires) + 86_400 * 60}.`));
    expect(mac).not.toBe("");
    expect(lengthened).toMatchObject({
      status: 404,
      text: expect.stringContaining("There is no such payment") as string,
    });
    expectProblem(lengthened.state, 404, "not_found");
  });

  test("the shop can close its link for good; that is audited, once", async () => {
    const [mine, other] = [await acceptCheckout(stack, hosted()), await acceptCheckout(stack, hosted())];
    const revoke = (): Promise<Reply> =>
      stack.call("POST", `/checkouts/${mine.checkout_id}/revoke_status_link`);
    const [first, second] = [await revoke(), await revoke()];
    expect(first).toMatchObject({
      status: 200,
      json: { checkout_id: mine.checkout_id, status_link_revoked_at: expect.any(String) as string },
    });
    expect(second).toMatchObject({ status: 200, text: first.text });
    const { status, text, state } = await look(String(mine.reply.json["status_url"]));
    expect(status).toBe(410);
    expect(text).toContain("The shop has revoked this link.");
    expectProblem(state, 410, "link_expired");
    expect(await look(String(other.reply.json["status_url"]))).toMatchObject({ status: 200 });
    for (const [{ checkout_id, reply }, isOpen] of [
      [mine, false],
      [other, true],
    ] as const) {
      const { json: checkout } = await stack.call("GET", `/checkouts/${checkout_id}`);
      expect(checkout["status_url"]).toBe(isOpen ? reply.json["status_url"] : null);
    }
    const { json } = await stack.call(
      "GET",
      `/audit_log?subject_type=checkout&subject_id=${mine.checkout_id}`,
    );
    expect(json["data"]).toMatchObject([
      { action: "status_link.revoke", actor: development_actor, request_id: first.headers.get("request-id") },
    ]);
    expectProblem(
      await stack.call("POST", "/checkouts/none/revoke_status_link"),
      404,
      "not_found",
      "checkout_id",
    );
  });

  test("what a redirect says changes nothing", async () => {
    const { reply } = await acceptCheckout(stack, hosted());
    const url = `${stack.service_url}${String(reply.json["status_url"])}`;
    const page = await (await fetch(`${url}&result=success&status=paid&payment_status=paid`)).text();
    expect(page).toContain("Payment pending");
    expect(page).not.toContain("Thank you");
  });
});
