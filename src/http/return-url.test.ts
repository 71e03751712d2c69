import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { composeService, type Service } from "../cli/compose.ts";
import { loadConfig } from "../config.ts";

let db: TestDatabase;
let authorization: string;
beforeAll(async () => {
  db = await createTestDatabase();
  authorization = `Bearer ${(await db.createKey("shop", ["read", "write"])).token}`;
});
afterAll(() => db.drop());

let count = 0;

/**
 * What a service with these origins answers to a checkout that comes back to this URL; its PSP cannot be
 * reached.
 */
async function answersTo(origins: string, returnUrls: readonly string[]): Promise<Record<string, unknown>[]> {
  const config = loadConfig("development", { LOG_LEVEL: "silent", RETURN_URL_ORIGINS: origins, PSP_STRIPE_API_BASE: "http://127.0.0.1:1" });
  const service: Service = await composeService(config, db.service_url, { is_worker: false, has_api: true });
  try {
    const answers: Record<string, unknown>[] = [];
    for (const return_url of returnUrls) {
      count += 1;
      const payload = {
        checkout_id: `c-${count}`, buyer_info: { user_id: "b", email: "b@example.com" }, hosted_page: { return_url },
        payment_orders: [{ payment_order_id: `o-${count}`, seller_account: "s", amount: "1.00" }],
      };
      const reply = await service.app.inject({ method: "POST", url: "/api/v1/payments", headers: { authorization }, payload });
      answers.push(reply.json());
    }
    return answers;
  } finally {
    await service.close();
  }
}

const refused = { status: 400, code: "invalid_request", param: "hosted_page[return_url]", detail: expect.stringContaining("hosted_page.return_url") as string };
const taken = { status: 503, code: "psp_unavailable" };

test("a hosted page sends buyers back to the listed sites only, and a refused checkout is not stored", async () => {
  const answers = await answersTo("https://shop.example,https://b.example:8443", [
    "https://shop.example/thanks?order=1", "https://b.example:8443/x",
    "https://evil.example/", "https://shop.example.evil.example/", "https://shop.example:8443/", "https://b.example/", "http://127.0.0.1/",
    "https://evil.example/https://shop.example", "https://shop.example@evil.example/",
  ]);
  expect(answers.slice(0, 2)).toMatchObject([taken, taken]);
  expect(answers.slice(2)).toMatchObject(Array.from({ length: 7 }, () => refused));
  expect(await db.asOwner("select count(*)::int as count from payment_events")).toEqual([{ count: 2 }]);
});
