import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { account, purse, transfer } from "../../test/support/ledger.ts";
import { composeService, type Service } from "../cli/compose.ts";
import { loadConfig } from "../config/config.ts";
import { withClient } from "../db/db.ts";
import { postAll } from "../ledger/ledger.ts";

const calls_at_once_max = 20;

let db: TestDatabase;
let service: Service;
beforeAll(async () => {
  db = await createTestDatabase();
  service = await composeService(
    loadConfig("development", {
      LOG_LEVEL: "silent",
      RATE_LIMIT_PER_SECOND: "100000",
      CALLS_AT_ONCE_MAX: String(calls_at_once_max),
    }),
    db.service_url,
    { is_worker: false, has_api: true },
  );
  const sellers = ["ann", "bob", "cid"].map((name) => ({
    ...purse(`seller:${name}:pending`),
    owner_id: name,
  }));
  await db.database.transaction((tx) =>
    postAll(
      tx,
      sellers.map((seller, index) => transfer(`t-${index}`, account("cash"), seller, 5n)),
    ),
  );
  const body = (n: number) => ({
    checkout_id: `c-${n}`,
    buyer_info: { user_id: "b", email: "b@example.com" },
    credit_card_info: { token: "tok_visa_4242" },
    payment_orders: [{ payment_order_id: `o-${n}`, seller_account: "ann", amount: "1.00" }],
  });
  for (const n of [1, 2, 3]) {
    const reply = await service.app.inject({
      method: "POST",
      url: "/api/v1/payments",
      headers,
      payload: body(n),
    });
    if (reply.statusCode !== 202) throw new Error(reply.body);
  }
  await db.asOwner(
    "insert into dead_letters (dead_letter_id, queue, subject_id, payload, reason, attempt_count) select 'dead_' || n, 'payment_execute', n, '{}', 'r', 0 from generate_series(1, 3) n",
  );
});
afterAll(async () => {
  await service.close();
  await db.drop();
});

const headers = { authorization: "Bearer sk_dev" };

async function get(path: string): Promise<{ status: number; type: string; json: Record<string, unknown> }> {
  const reply = await service.app.inject({ method: "GET", url: `/api/v1${path}`, headers });
  return { status: reply.statusCode, type: String(reply.headers["content-type"]), json: reply.json() };
}

const lists = {
  payments: "/payments",
  wallets: "/wallets",
  entries: "/ledger",
  accounts: "/ledger/accounts",
  dead_letters: "/dead_letters",
  statement: "/ledger/accounts/cash/statement?currency=USD",
} as const;
const paged = (list: string, query: string): string => `${list}${list.includes("?") ? "&" : "?"}${query}`;
const cursorOf = async (list: string): Promise<string> => {
  const cursor = (await get(paged(list, "limit=1"))).json["next_cursor"];
  if (typeof cursor !== "string") throw new Error(`${list} has one page only`);
  return cursor;
};

test.each(Object.entries(lists))("the pages of %s give each row once", async (_name, list) => {
  const whole = (await get(list)).json["data"];
  const rows: unknown[] = [];
  for (let cursor: unknown = ""; cursor !== null;) {
    const { status, json } = await get(
      paged(list, `limit=1${cursor === "" ? "" : `&cursor=${String(cursor)}`}`),
    );
    expect(status).toBe(200);
    rows.push(...(json["data"] as unknown[]));
    cursor = json["next_cursor"];
  }
  expect(rows).toEqual(whole);
  expect(rows.length).toBeGreaterThanOrEqual(3);
});

test.each(Object.entries(lists))("a changed cursor of %s is a 400 that names it", async (_name, list) => {
  const cursor = await cursorOf(list);
  const changed = `${cursor.startsWith("A") ? "B" : "A"}${cursor.slice(1)}`;
  const { status, type, json } = await get(paged(list, `cursor=${changed}`));
  expect([status, type.split(";")[0], json["code"], json["param"]]).toEqual([
    400,
    "application/problem+json",
    "invalid_cursor",
    "cursor",
  ]);
});

test.each(Object.entries(lists))(
  "a cursor of another list is refused by %s and never half understood",
  async (name, list) => {
    const others = await Promise.all(
      Object.entries(lists)
        .filter(([other]) => other !== name)
        .map(async ([, other]) => get(paged(list, `cursor=${await cursorOf(other)}`))),
    );
    expect(others.map(({ status, json }) => [status, json["code"]])).toEqual(
      others.map(() => [400, "invalid_cursor"]),
    );
  },
);

test("every failure has the same shape, and its instance is the request-id of the answer", async () => {
  const reply = await service.app.inject({ method: "GET", url: "/api/v1/payments/nobody", headers });
  expect(reply.json()).toEqual({
    type: "https://pacioli.dev/errors/not_found",
    title: "There is no such object",
    status: 404,
    detail: "There is no payment order nobody.",
    instance: `urn:request:${String(reply.headers["request-id"])}`,
    code: "not_found",
    param: "payment_order_id",
    errors: [],
  });
});

const buyer_info = { user_id: "b", email: "b@example.com" };
const payment_orders = [{ payment_order_id: "o-9", seller_account: "ann", amount: "1.00", currency: "USD" }];
const complete = { checkout_id: "c-9", buyer_info, credit_card_info: { token: "tok_visa" }, payment_orders };

test.each([
  ["a missing field", { ...complete, buyer_info: undefined }, "buyer_info", "buyer_info is required."],
  [
    "a missing field of a field",
    { ...complete, buyer_info: { user_id: "b" } },
    "buyer_info[email]",
    "buyer_info[email] is required.",
  ],
  ["an unknown field", { ...complete, buyer: "b" }, "buyer", "buyer is not a field of this request."],
  ["no body", undefined, "body", "Send a JSON object."],
  ["a list", [], "body", "Send a JSON object."],
  [
    "two ways to pay, which no schema refuses",
    { ...complete, external: { psp: "cash" } },
    "external",
    "Send exactly one of credit_card_info, hosted_page and external.",
  ],
  [
    "a return URL that is none",
    { ...complete, credit_card_info: undefined, hosted_page: { return_url: "shop" } },
    "hosted_page[return_url]",
    expect.stringMatching(/^hosted_page\.return_url /) as string,
  ],
] as const)("%s is told in plain words, and in errors too", async (_what, payload, param, detail) => {
  const reply = await service.app.inject({
    method: "POST",
    url: "/api/v1/payments",
    headers: { ...headers, "content-type": payload === undefined ? undefined : "application/json" },
    ...(payload === undefined ? {} : { payload: JSON.stringify(payload) }),
  });
  const problem = reply.json<{ detail: string; errors: { message: string }[] }>();
  expect(problem).toMatchObject({ status: 400, code: "invalid_request", param, detail });
  const [fault, ...more] = problem.errors;
  expect(more).toEqual([]);
  expect(fault).toEqual({ param, code: "invalid_request", message: expect.any(String) as string });
  expect([problem.detail, problem.detail.replace(`${param} `, "")]).toContain(fault?.message);
});

test("whatever a client puts into a path or a query, the answer is no 5xx", async () => {
  const paths = [
    "/payments/%00",
    "/payments?seller_account=%00",
    "/checkouts/a%00b",
    "/wallets/%00",
    "/ledger?account_id=%00",
    "/ledger?transaction_id=%00",
    "/ledger/accounts/%00/balance?currency=USD",
    "/ledger/accounts/%00/statement?currency=USD",
    "/dead_letters/%00",
    "/dead_letters?queue=%00",
    "/payments?created_at[gte]=0000-01-01T00:00:00Z",
    "/payments?created_at[lt]=2016-12-31T23:59:60Z",
    "/payments/%ff",
    "/payments?limit=0",
    "/payments?limit=1e9",
    "/ledger/accounts/cash/balance?currency=USD&at=0000-01-01T00:00:00Z",
    "/ledger/accounts/cash/balance?currency=USD&at=9999-12-31T23:59:59-23:59",
    "/ledger/ffffffff-ffff-8fff-bfff-ffffffffffff",
    "/ledger?transaction_id=99999999999999999999",
  ];
  const failed: unknown[] = [];
  for (const path of paths) {
    const { status } = await get(path);
    if (status >= 500) failed.push([path, status]);
  }
  expect(failed).toEqual([]);
});

test("a key with CALLS_AT_ONCE_MAX requests in progress is told to wait, and is served when they are answered", async () => {
  const waiting =
    "select count(*)::int as count from pg_locks where not granted and relation = 'payment_orders'::regclass";
  await withClient(db.url, async (client) => {
    await client.query("begin");
    await client.query("lock table payment_orders in access exclusive mode");
    const held = Array.from({ length: calls_at_once_max }, () => get("/payments"));
    await expect.poll(async () => (await db.asOwner(waiting))[0]?.["count"]).toBeGreaterThan(0);
    expect(await get("/payments")).toMatchObject({ status: 429, json: { code: "concurrency_limited" } });
    await client.query("commit");
    for (const call of held) expect(await call).toMatchObject({ status: 200 });
  });
  expect(await get("/payments")).toMatchObject({ status: 200 });
});

test("openapi.json is printed once, however often it is asked for", async () => {
  const print = vi.spyOn(service.app, "swagger");
  const replies = await Promise.all(
    [1, 2, 3].map(() => service.app.inject({ method: "GET", url: "/openapi.json" })),
  );
  for (const reply of replies) {
    expect([reply.statusCode, reply.headers["content-type"]]).toEqual([
      200,
      "application/json; charset=utf-8",
    ]);
    expect(reply.json()).toMatchObject({
      openapi: "3.1.0",
      paths: { "/api/v1/payments": expect.anything() as unknown },
    });
  }
  expect(print).toHaveBeenCalledTimes(1);
});
