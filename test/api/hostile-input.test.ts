import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, expectProblem, orderIn, postBytes, replyOf, rowCounts } from "./requests.ts";
import { text } from "./hostile-amounts.ts";
import { cases } from "./hostile-checkouts.ts";

let stack: TestStack;
let before: Record<string, number>;
beforeAll(async () => {
  stack = await startTestStack();
});
beforeEach(async () => {
  before = await rowCounts(stack.db);
});
afterAll(() => stack.stopAll());

describe("a bad checkout is a clear 4xx that names the field, and not one row is written", () => {
  test.for(cases)("%s", async ([, body, status, code, param]) => {
    const started = performance.now();
    const reply = await postBytes(stack, "/api/v1/payments", body);
    // Of a deep nesting the field may be named as far as it was followed.
    const field = String(reply.json["param"]);
    expectProblem(
      reply,
      status,
      code,
      body.length >= 100_000 && (field.startsWith(`${param}[`) || param === "body") ? field : param,
    );
    expect(reply.text.length).toBeLessThan(20_000);
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("bytes that are not UTF-8 are not turned into another text", async () => {
    const body = Buffer.from(text(checkoutBody({ seller_info: { name: "bytes-MARK" } })));
    body.write("\xff\xfe\xfd\xfc", body.indexOf("MARK"), "latin1");
    expectProblem(
      await postBytes(stack, "/api/v1/payments", Uint8Array.from(body)),
      400,
      "invalid_json",
      "body",
    );
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("a body of 40,000 unknown fields gets a short answer", async () => {
    const fields = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`field_${index}`, 1]));
    const reply = await postBytes(stack, "/api/v1/payments", text({ ...checkoutBody(), ...fields }));
    expectProblem(reply, 400, "invalid_request");
    expect(reply.text.length).toBeLessThan(20_000);
  });

  test.for([
    ["text/plain", {}],
    ["application/x-www-form-urlencoded", {}],
    ["multipart/form-data; boundary=x", {}],
    ["application/xml", {}],
  ] as const)("a body of the type %s is 415", async ([type]) => {
    expectProblem(
      await postBytes(stack, "/api/v1/payments", text(checkoutBody()), { "content-type": type }),
      415,
      "unsupported_media_type",
    );
  });

  test("a compressed body is refused", async () => {
    const body = Uint8Array.from(gzipSync(Buffer.alloc(10_000_000, "[")));
    const reply = await postBytes(stack, "/api/v1/payments", body, {
      "content-type": "application/json",
      "content-encoding": "gzip",
    });
    expectProblem(
      reply,
      reply.status === 415 ? 415 : 400,
      reply.status === 415 ? "unsupported_media_type" : "invalid_json",
    );
    expect(await rowCounts(stack.db)).toEqual(before);
  });
});

describe("hostile paths and queries are a 4xx with problem details", () => {
  test.for([
    ["a half percent sign", "/payments/%E0%A4%A", 400],
    ["NUL in a path", "/payments/a%00b", 400],
    ["NUL as a checkout", "/checkouts/%00", 400],
    ["NUL as a wallet", "/wallets/%00", 400],
    ["NUL as a ledger account", "/ledger/accounts/%00/statement?currency=USD", 400],
    ["NUL as a dead letter", "/dead_letters/%00", 400],
    ["NUL in a filter", "/payments?seller_account=%00", 400],
    ["NUL in a ledger filter", "/ledger?account_id=a%00", 400],
    ["an unknown filter", "/payments?status_is=SUCCESS", 400],
    ["a filter that stands twice", "/payments?status=SUCCESS&status=FAILED", 400],
    ["an unknown state", "/payments?status=PAID", 400],
    ["the limit 0", "/payments?limit=0", 400],
    ["the limit 101", "/wallets?limit=101", 400],
    ["the limit -1", "/ledger?limit=-1", 400],
    ["the limit 1.5", "/payments?limit=1.5", 400],
    ["the limit abc", "/dead_letters?limit=abc", 400],
    ["an empty limit", "/payments?limit=", 400],
    ["a currency that is none", "/ledger?currency=us", 400],
    ["a time that is none", "/payments?created_at[gte]=yesterday", 400],
    ["30 February", "/payments?created_at[gte]=2026-02-30T00:00:00Z", 400],
    ["the year 0", "/payments?created_at[gte]=0000-01-01T00:00:00Z", 400],
    ["a time zone that is none", "/ledger?created_at[lt]=2026-01-01T00:00:00%2B23:00", 400],
    ["SQL in a filter", "/payments?status='; drop table payment_orders; --", 400],
    ["SQL in a sort", "/payments?order_by=1", 400],
    ["a cursor of nonsense", "/payments?cursor=abc", 400],
    ["an empty cursor", "/payments?cursor=", 400],
    ["an entry id that is none", "/ledger/abc", 404],
    ["an id of 256 characters", `/payments/${"x".repeat(256)}`, 400],
    ["an unknown resource", "/nothing", 404],
    ["an unknown version", "/../v2/payments", 404],
  ] as const)("%s", async ([, path, status]) => {
    const reply = await stack.call("GET", path);
    expect(reply, reply.text).toMatchObject({ status });
    expectProblem(reply, status, reply.json["code"] as ErrorCode);
  });

  test("an empty id is no id: only a list is served with a slash behind its name", async () => {
    const reads = [
      "/payments//",
      "/payments///",
      "/checkouts/",
      "/checkouts//",
      "/wallets//",
      "/ledger//",
      "/dead_letters//",
      "/risk_blocks//",
      "/ledger/accounts//",
      "/ledger/accounts//balance?currency=USD",
      "/ledger/accounts//statement?currency=USD",
      "//payments",
    ];
    const actions = [
      "/payments//",
      "/payments//retry",
      "/payments//cancel",
      "/payments//capture",
      "/checkouts//review",
      "/dead_letters//redrive",
      "/attempts//resolve",
    ];
    for (const [method, paths] of [
      ["GET", reads],
      ["POST", actions],
    ] as const) {
      for (const path of paths)
        expect([path, (await stack.call(method, path, method === "POST" ? {} : undefined)).status]).toEqual([
          path,
          expect.toBeOneOf([400, 404]),
        ]);
    }
    expect((await stack.call("GET", "/payments/")).json["object"]).toBe("list");
  });

  test("a method that a route does not have is a 404 with problem details", async () => {
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      const reply = await replyOf(
        await fetch(`${stack.service_url}/api/v1/payments`, {
          method,
          headers: { authorization: "Bearer sk_dev" },
        }),
      );
      expectProblem(reply, 404, "not_found");
    }
  });
});

test("unusual ids that are texts are kept exactly and can be read back", async () => {
  const ids = ["a/b c?d#e%f", "١٢٣", "é".normalize("NFD"), "é", "Ａ", "';--", "null", "NaN", "\\x\\'"];
  for (const id of ids) await expectKept(id);
  for (const id of ids)
    expect(await stack.effects(`payment_order_id=${encodeURIComponent(id)}`)).toMatchObject({ count: 1 });
});

test.for([
  ["of one byte", "x".repeat(255)],
  ["of three bytes", "中".repeat(85)],
  ["outside the basic plane", `${"😀".repeat(63)}end`],
] as const)("an id of 255 bytes in characters %s can be read back", async ([, id]) => {
  expect(Buffer.byteLength(id)).toBe(255);
  await expectKept(id);
});

async function expectKept(id: string): Promise<void> {
  await acceptCheckout(stack, { checkout_id: id }, [{ payment_order_id: id, seller_account: id }]);
  expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({
    payment_order_id: id,
    checkout_id: id,
    seller_account: id,
  });
  expect((await stack.call("GET", `/checkouts/${encodeURIComponent(id)}`)).json).toMatchObject({
    checkout_id: id,
  });
  expect((await stack.call("GET", `/wallets/${encodeURIComponent(id)}`)).json).toMatchObject({
    account_id: id,
  });
}
