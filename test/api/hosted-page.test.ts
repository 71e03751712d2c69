import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, expectProblem, orderIn, path, sendCheckout, until } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ environment: { HOSTED_PAGE_SECONDS: "4", SIMULATOR_SESSION_SECONDS_MIN: "1", PSP_BREAKER_OPEN_SECONDS: "1" } });
});
afterAll(() => stack.stopAll());

const hosted = (return_url = "https://shop.example/return"): Record<string, unknown> => ({ credit_card_info: undefined, hosted_page: { return_url } });

describe("the registration (R34 to R37)", () => {
  test("the answer has the PSP's page and our status page; the token is stored, one attempt covers the checkout, nothing is charged", async () => {
    const { reply, order_ids, checkout_id } = await acceptCheckout(stack, hosted(), [{ amount: "10.00" }, { amount: "5.55" }]);
    expect(reply.json).toMatchObject({
      hosted_page_url: expect.stringMatching(new RegExp(`^${stack.simulator_url}/c/pay/cs_`)) as string,
      status_url: expect.stringMatching(/^\/pay\/.+\?token=.{32}$/) as string,
    });
    for (const id of order_ids) {
      const order = await orderIn(stack, id, "PENDING");
      expect(path(order)).toBe("NOT_STARTED EXECUTING PENDING");
      expect(order).toMatchObject({ psp_token: expect.stringMatching(/^cs_/) as string, attempts: [{ status: "pending", page_token: expect.stringMatching(/^cs_/) as string }] });
    }
    expect(await stack.db.asOwner("select amount_minor::text, payment_order_id from payment_attempts where checkout_id = $1", [checkout_id]))
      .toEqual([{ amount_minor: "1555", payment_order_id: null }]);
    expect(await stack.effects(`checkout_id=${checkout_id}`)).toMatchObject({ count: 0 });
  });

  test("the same POST again, also ten at once and under an Idempotency-Key, gets the same bytes and no second page (R35, R216)", async () => {
    const { body, reply } = await sendCheckout(stack, hosted());
    const again = await Promise.all(Array.from({ length: 10 }, (_, index) => stack.call("POST", "/payments", body, index < 5 ? {} : { "idempotency-key": `hosted-${String(body["checkout_id"])}` })));
    for (const other of again) expect([other.status, other.text]).toEqual([202, reply.text]);
    const [attempts] = await stack.db.asOwner("select count(*)::int as count from payment_attempts where checkout_id = $1", [body["checkout_id"]]);
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

  test("an amount that the PSP cannot take: no page, the orders are FAILED, and the same POST says so again", async () => {
    const { body, reply, order_ids } = await sendCheckout(stack, hosted(), [{ amount: "1.234", currency: "BHD" }]);
    expectProblem(reply, 422, "page_refused");
    await orderIn(stack, order_ids[0], "FAILED");
    expectProblem(await stack.call("POST", "/payments", body), 422, "page_refused");
  });

  test("while the PSP is gone the checkout is stored and the answer is 503; when it is back the same POST gets the page", async () => {
    await stack.simulator.kill();
    const { body, reply } = await sendCheckout(stack, hosted());
    expectProblem(reply, 503, "psp_unavailable");
    await stack.restartSimulator();
    await until("the page is there", async () => (await stack.call("POST", "/payments", body)).status === 202);
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
      expect(order).toMatchObject({ status_cause: "expired", error_code: "expired", attempts: [{ status: "canceled" }] });
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
    for (const wrong of [url.replace(/\?.*/, ""), `${url.slice(0, -1)}~`, url.replace(/\/pay\/[^?]+/, `/pay/${mine.checkout_id}`), `/pay/${other.checkout_id}?token=${"x".repeat(32)}`]) {
      expect((await fetch(stack.service_url + wrong)).status).toBeGreaterThanOrEqual(400);
      expect((await fetch(stack.service_url + wrong)).status).toBeLessThan(500);
    }
  });

  test("what a redirect says changes nothing", async () => {
    const { reply } = await acceptCheckout(stack, hosted());
    const url = `${stack.service_url}${String(reply.json["status_url"])}`;
    const page = await (await fetch(`${url}&result=success&status=paid&payment_status=paid`)).text();
    expect(page).toContain("Payment pending");
    expect(page).not.toContain("Thank you");
  });
});
