import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { composeService, type Service } from "../cli/compose.ts";
import { loadConfig } from "../config/config.ts";

let db: TestDatabase;
let service: Service;
let authorization: string;
/** A service whose PSP cannot be reached. */
beforeAll(async () => {
  db = await createTestDatabase();
  authorization = `Bearer ${(await db.createKey("shop", ["read", "write"])).token}`;
  const origins = "https://shop.example,https://b.example:8443";
  const config = loadConfig("development", {
    LOG_LEVEL: "silent",
    RETURN_URL_ORIGINS: origins,
    PSP_STRIPE_API_BASE: "http://127.0.0.1:1",
  });
  service = await composeService(config, db.service_url, { is_worker: false, has_api: true });
});
afterAll(async () => {
  await service.close();
  await db.drop();
});

const onPage = (return_url: string): Record<string, unknown> => ({ hosted_page: { return_url } });
const byCard = (return_url: string): Record<string, unknown> => ({
  credit_card_info: { token: "tok_1", return_url },
});
let count = 0;

/** What the service answers to checkouts that come back to these URLs. */
async function answersTo(
  returnUrls: readonly string[],
  wayToPay = onPage,
): Promise<Record<string, unknown>[]> {
  const answers: Record<string, unknown>[] = [];
  for (const return_url of returnUrls) {
    count += 1;
    const payload = {
      checkout_id: `c-${String(count).padStart(3, "0")}`,
      buyer_info: { user_id: "b", email: "b@example.com" },
      ...wayToPay(return_url),
      payment_orders: [{ payment_order_id: `o-${count}`, seller_account: "s", amount: "1.00" }],
    };
    const reply = await service.app.inject({
      method: "POST",
      url: "/api/v1/payments",
      headers: { authorization },
      payload,
    });
    answers.push(reply.json());
  }
  return answers;
}

/** As the PSP gets them, in the order of the checkouts. */
async function storedUrls(): Promise<unknown[]> {
  const rows = await db.asOwner(
    "select coalesce(hosted_page, credit_card_info) ->> 'return_url' as url from payment_events order by checkout_id",
  );
  return rows.map(({ url }) => url);
}

const refused = {
  status: 400,
  code: "invalid_request",
  param: "hosted_page[return_url]",
  detail: expect.stringContaining("hosted_page.return_url") as string,
};
const taken = { status: 503, code: "psp_unavailable" };

test("a hosted page sends buyers back to the listed sites only, and a refused checkout is not stored", async () => {
  const answers = await answersTo([
    "https://shop.example/thanks?order=1",
    "https://b.example:8443/x",
    "https://evil.example/",
    "https://shop.example.evil.example/",
    "https://shop.example:8443/",
    "https://b.example/",
    "http://127.0.0.1/",
    "https://evil.example/https://shop.example",
    "https://shop.example@evil.example/",
  ]);
  expect(answers.slice(0, 2)).toMatchObject([taken, taken]);
  expect(answers.slice(2)).toMatchObject(Array.from({ length: 7 }, () => refused));
  expect(await db.asOwner("select count(*)::int as count from payment_events")).toEqual([{ count: 2 }]);
});

test("what was checked is what the PSP gets, whatever the spelling that came", async () => {
  const spellings = [
    ["HTTPS://Shop.Example/Thanks", "https://shop.example/Thanks"],
    ["https:\\\\shop.example\\thanks", "https://shop.example/thanks"],
    ["https:shop.example/thanks", "https://shop.example/thanks"],
    ["https:////shop.example/thanks", "https://shop.example/thanks"],
    ["https://@shop.example/thanks", "https://shop.example/thanks"],
    ["https://shop.example:443/a/../b", "https://shop.example/b"],
    [" https://shop.example/a b ", "https://shop.example/a%20b"],
    ["https://shop.example\\@evil.example/", "https://shop.example/@evil.example/"],
    ["https://ｓｈｏｐ.example", "https://shop.example/"],
  ] as const;
  const before = (await storedUrls()).length;
  for (const wayToPay of [onPage, byCard])
    await answersTo(
      spellings.map(([spelling]) => spelling),
      wayToPay,
    );
  const expected = spellings.map(([, url]) => url);
  expect((await storedUrls()).slice(before)).toEqual([...expected, ...expected]);
});

test("line breaks and tabs, users, and other origins in odd spellings are refused", async () => {
  const spellings = [
    "https://shop.example/\n",
    "ht\ttps://shop.example/",
    "https://shop.exam\r\nple/",
    "https://user@shop.example/",
    "https://user:pass@shop.example/",
    "https:\\\\evil.example\\@shop.example",
    "https://evil.example\\.shop.example/",
    "//shop.example/",
    "HTTP://shop.example/",
    "https://shop.example./",
  ];
  const stored = await storedUrls();
  for (const wayToPay of [onPage, byCard]) {
    const answers = await answersTo(spellings, wayToPay);
    expect(answers.map(({ status, code }) => [status, code])).toEqual(
      spellings.map(() => [400, "invalid_request"]),
    );
  }
  expect(await storedUrls()).toEqual(stored);
});
