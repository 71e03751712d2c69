import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withClient } from "../../src/db/db.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

type Fields = Record<string, unknown>;
type Reading = { readonly path: string; readonly body: Fields };
const rowsOf = (value: unknown): Fields[] => value as Fields[];
const cents = (amount: unknown): number => Math.round(Number(amount) * 100);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** What cannot be true of one moment. Each gives the contradictions in one answer. */
const contradictions: Readonly<Record<string, (body: Fields) => string[]>> = {
  "/api/v1/payments/{payment_order_id}": (order) => {
    const captures = rowsOf(order["operations"]).filter(
      (one) => one["kind"] === "capture" && one["status"] === "succeeded",
    );
    const succeeded = rowsOf(order["attempts"]).filter(
      (attempt) => attempt["status"] === "succeeded" || attempt["status"] === "authorized",
    );
    const taken =
      order["capture_method"] === "manual"
        ? sum(captures.map((one) => cents(one["amount"])))
        : order["status"] === "SUCCESS"
          ? cents(order["amount"])
          : 0;
    return [
      ...differ(
        "status and last transition",
        order["status"],
        rowsOf(order["transitions"]).at(-1)?.["to_status"],
      ),
      ...differ("captured_amount and captures", cents(order["captured_amount"]), taken),
      ...differ(
        "paid or authorised and an attempt that is",
        ["SUCCESS", "AUTHORIZED"].includes(String(order["status"])),
        succeeded.length > 0,
      ),
      ...differ(
        "updated books and captured_amount",
        order["ledger_updated"],
        cents(order["captured_amount"]) > 0,
      ),
    ];
  },
  "/api/v1/checkouts/{checkout_id}": (checkout) => {
    const isPaid = rowsOf(checkout["payment_orders"]).every((order) => order["status"] === "SUCCESS");
    return [
      ...differ("is_payment_done and orders", checkout["is_payment_done"], isPaid),
      ...differ("payment_event_status and orders", checkout["payment_event_status"] === "COMPLETE", isPaid),
    ];
  },
  "/api/v1/dead_letters/{dead_letter_id}": (letter) => {
    const { transitions, attempts } = letter["history"] as { transitions: Fields[]; attempts: Fields[] };
    const started = transitions.filter((transition) => transition["to_status"] === "EXECUTING");
    return differ(
      "executions in the history and attempts",
      new Set(started.map((transition) => transition["attempt_id"])).size,
      attempts.length,
    );
  },
  // The entries of an account are read in its own order, so each balance is the last one and its entry.
  "/api/v1/ledger/accounts/{account}/statement": (list) =>
    rowsOf(list["data"]).flatMap((entry, index, entries) => {
      const before = index === 0 ? 0 : cents(entries[index - 1]?.["balance_after"]);
      return differ(
        "balance_after and entries",
        cents(entry["balance_after"]),
        before + cents(entry["debit"] ?? 0) - cents(entry["credit"] ?? 0),
      );
    }),
  "/api/v1/ledger/accounts": (list) =>
    differ(
      "balances of all accounts",
      0,
      sum(
        rowsOf(list["data"]).map(
          (account) =>
            cents(account["balance"]) *
            (account["kind"] === "asset" || account["kind"] === "expense" ? 1 : -1),
        ),
      ),
    ),
  "/api/v1/ledger/trial-balance": (balance) => differ("is_balanced", balance["is_balanced"], true),
  "/api/v1/ledger": (list) => {
    const entries = rowsOf(list["data"]);
    // The last transaction of a page may go on behind it.
    const whole = entries.filter((entry) => entry["transaction_id"] !== entries.at(-1)?.["transaction_id"]);
    return [...new Set(whole.map((entry) => entry["transaction_id"]))].flatMap((id) => {
      const some = whole.filter((entry) => entry["transaction_id"] === id);
      const side = (name: string): number => sum(some.map((entry) => cents(entry[name] ?? 0)));
      return differ("debits and credits of a transaction", side("debit"), side("credit"));
    });
  },
  "/api/v1/payments": (list) =>
    rowsOf(list["data"]).flatMap((order) =>
      differ(
        "updated books and captured_amount",
        order["ledger_updated"],
        cents(order["captured_amount"]) > 0,
      ),
    ),
  "/api/v1/wallets": (list) => rowsOf(list["data"]).flatMap(totals),
  "/api/v1/wallets/{account_id}": totals,
};

function totals(wallet: Fields): string[] {
  return rowsOf(wallet["balances"]).flatMap((balance) =>
    differ(
      "total and parts",
      cents(balance["total"]),
      sum(["pending", "available", "reserved", "in_payout"].map((part) => cents(balance[part]))) -
        cents(balance["debt"]),
    ),
  );
}

function differ(what: string, one: unknown, other: unknown): string[] {
  return one === other ? [] : [`${what}: ${String(one)}, ${String(other)}`];
}

/** Reads again and again, as many at a time, until `isOver`; gives the contradictions of each route. */
async function readWhile(
  readers: number,
  isOver: () => boolean,
  next: () => Reading["path"],
  routeOf: (path: string) => string,
): Promise<Map<string, { read: number; faults: string[] }>> {
  const seen = new Map<string, { read: number; faults: string[] }>();
  await Promise.all(
    Array.from({ length: readers }, async () => {
      while (!isOver()) {
        const path = next();
        const reply = await stack.call("GET", path);
        expect(reply, `${path}: ${reply.text}`).toMatchObject({ status: 200 });
        const route = routeOf(path);
        const counted = seen.get(route) ?? { read: 0, faults: [] };
        counted.read += 1;
        counted.faults.push(
          ...(contradictions[route]?.(reply.json) ?? []).map((fault) => `${path}: ${fault}`),
        );
        seen.set(route, counted);
      }
    }),
  );
  return seen;
}

/** The GET routes of the API by the pattern in openapi.json. */
async function getRoutes(): Promise<string[]> {
  const { paths } = JSON.parse(await readFile("openapi.json", "utf8")) as { paths: Record<string, Fields> };
  return Object.keys(paths).filter((path) => path.startsWith("/api/v1") && "get" in (paths[path] ?? {}));
}

/** A dead letter about an order that moves on. */
async function giveUp(id: string): Promise<string> {
  await stack.db.asOwner(
    `insert into dead_letters (dead_letter_id, queue, subject_id, payload, reason, attempt_count)
     values ('dead_' || md5($1), 'payment_execute', $1, jsonb_build_object('payment_order_id', $1::text), 'test', 1)`,
    [id],
  );
  const [row] = await stack.db.asOwner("select dead_letter_id from dead_letters where subject_id = $1", [id]);
  return String(row?.["dead_letter_id"]);
}

test("every GET route tells of one moment, while payments end and are captured", async () => {
  const first = await acceptCheckout(stack, {}, [{ seller_account: "snapshot_seller" }]);
  await orderIn(stack, first.order_ids[0], "SUCCESS");
  const [entry] = rowsOf((await stack.call("GET", "/ledger")).json["data"]);
  const [event] = rowsOf((await stack.call("GET", "/events")).json["data"]);
  const orders: string[] = [...first.order_ids];
  const letters = [await giveUp(first.order_ids[0])];
  const checkouts: string[] = [first.checkout_id];
  const named: Readonly<Record<string, () => string | undefined>> = {
    payment_order_id: () => orders.at(-1 - Math.floor(Math.random() * 8)) ?? orders[0],
    checkout_id: () => checkouts.at(-1 - Math.floor(Math.random() * 4)) ?? checkouts[0],
    dead_letter_id: () => letters.at(-1),
    account_id: () => "snapshot_seller",
    approval_id: () => "approval_test",
    account: () => "psp:stripe:clearing",
    entry_id: () => String(entry?.["entry_id"]),
    event_id: () => String(event?.["event_id"]),
  };
  await stack.db.asOwner(
    `insert into approvals (approval_id, kind, subject_id, content, content_hash, proposed_by, expires_at)
     values ('approval_test', 'attempt_resolution', 'att_none', '{}', sha256('{}'), 'cli:test', now() + interval '1 day')`,
  );
  const routes = await getRoutes();
  const fill = (route: string): string =>
    route.replace("/api/v1", "").replaceAll(/\{(\w+)\}/g, (_match, name: string) => {
      const value = named[name]?.();
      if (value === undefined)
        throw new Error(`say here what ${name} of ${route} is, and what an answer of it must agree with`);
      return encodeURIComponent(value);
    });
  const query = (route: string): string =>
    route.includes("{account}")
      ? "?currency=USD"
      : route.endsWith("/ledger") || route.endsWith("/accounts")
        ? "?limit=100"
        : "";
  // The two that a person watches while they pay are read as often as all others together.
  const watched = ["/api/v1/payments/{payment_order_id}", "/api/v1/checkouts/{checkout_id}"];
  let turn = 0;
  const pathRoutes = new Map<string, string>();
  const next = (): string => {
    turn += 1;
    const route = (turn % 2 === 0 ? watched[(turn / 2) % 2] : routes[turn % routes.length]) ?? "";
    const path = fill(route) + query(route);
    pathRoutes.set(path, route);
    return path;
  };
  let isOver = false;
  const reading = readWhile(
    24,
    () => isOver,
    next,
    (path) => pathRoutes.get(path) ?? path,
  );
  try {
    for (let round = 0; round < 5; round++) {
      const some = await Promise.all([
        ...Array.from({ length: 6 }, () =>
          acceptCheckout(stack, {}, [
            { seller_account: "snapshot_seller" },
            { seller_account: "snapshot_seller" },
          ]),
        ),
        ...Array.from({ length: 4 }, () =>
          acceptCheckout(stack, { capture_method: "manual" }, [
            { seller_account: "snapshot_seller", amount: "20.00" },
          ]),
        ),
      ]);
      for (const sent of some) {
        checkouts.push(sent.checkout_id);
        orders.push(...sent.order_ids);
        letters.push(await giveUp(sent.order_ids[0]));
      }
      for (const sent of some.slice(6)) {
        await orderIn(stack, sent.order_ids[0], "AUTHORIZED");
        await stack.call("POST", `/payments/${sent.order_ids[0]}/capture`, {
          capture_id: "part",
          amount: "5.00",
          is_final: false,
        });
        await stack.call("POST", `/payments/${sent.order_ids[0]}/capture`, { capture_id: "rest" });
      }
      for (const sent of some) for (const id of sent.order_ids) await orderIn(stack, id, "SUCCESS");
    }
  } finally {
    isOver = true;
  }
  const seen = await reading;
  expect([...seen.values()].flatMap(({ faults }) => faults).slice(0, 20)).toEqual([]);
  for (const route of routes) expect(seen.get(route)?.read ?? 0, route).toBeGreaterThan(10);
}, 120_000);

/** A read that has begun and waits for a table while its rows change. */
async function readDuring(
  table: string,
  path: string,
  change: string,
  values: readonly unknown[],
): Promise<Fields> {
  return withClient(stack.db.url, async (client) => {
    await client.query("begin");
    await client.query(`lock table ${table} in access exclusive mode`);
    const reading = fetch(stack.service_url + path, { headers: { authorization: "Bearer sk_dev" } });
    await expect
      .poll(() =>
        stack.db.asOwner(
          `select count(*)::int as count from pg_locks l join pg_stat_activity a using (pid)
        where not l.granted and l.relation = $1::regclass and a.application_name = 'pacioli-reads' and a.datname = $2`,
          [table, stack.db.name],
        ),
      )
      .toEqual([{ count: 1 }]);
    await client.query(change, [...values]);
    await client.query("commit");
    return (await (await reading).json()) as Fields;
  });
}

test("the buyer's status page tells of one moment: a step that ends while the page is read does not vanish from it", async () => {
  const credit_card_info = { token: "tok_authenticationRequired", return_url: "https://shop.example/thanks" };
  const {
    order_ids: [id],
    checkout_id,
  } = await acceptCheckout(stack, { credit_card_info });
  await orderIn(stack, id, "PENDING");
  const { json } = await stack.call("GET", `/checkouts/${checkout_id}`);
  const shown = await readDuring(
    "payment_attempts",
    String(json["status_url"]).replace("?", "/state?"),
    "update payment_attempts set status = 'canceled', next_action = null, next_action_expires_at = null where payment_order_id = $1",
    [id],
  );
  expect(shown).toMatchObject({ state: "action_needed", next_url: expect.stringMatching(/^http/) as string });
});

test("a dead letter's history tells of one moment: attempts that change while it is read are shown as they were", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack);
  await orderIn(stack, id, "SUCCESS");
  const { history } = await readDuring(
    "payment_attempts",
    `/api/v1/dead_letters/${await giveUp(id)}`,
    "update payment_attempts set inquiry_count = 99 where payment_order_id = $1",
    [id],
  );
  expect(history).toMatchObject({ attempts: [{ inquiry_count: 0 }] });
});
