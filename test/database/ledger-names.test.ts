import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { postRaw } from "../support/ledger-rows.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

let run = 0;
beforeEach(() => {
  run += 1;
});

type RawEntry = readonly [code: string, currency: string, amount: number];

const post = (entries: readonly RawEntry[], floor?: number | null, name = `s${run}`): Promise<unknown[]> =>
  postRaw(db, name, entries, floor);

describe("what an entry, an account and a name can be", () => {
  test("an entry is never 0 and its account's version counts from 1 and never repeats", async () => {
    await expect(
      post([
        ["z:a", "USD", 0],
        ["z:b", "USD", 0],
      ]),
    ).rejects.toMatchObject({ code: "23514" });
    await post([
      ["z:a", "USD", 5],
      ["z:b", "USD", -5],
    ]);
    const [{ account_id, transaction_id } = {}] = await db.asOwner(
      "select account_id, transaction_id from ledger_entries e join ledger_accounts a using (account_id) where a.code = 'z:a'",
    );
    await expect(
      db.asOwner("insert into ledger_entries values ($1, 1, $2, 5, 5)", [account_id, transaction_id]),
    ).rejects.toMatchObject({ code: "23505" });
    for (const version of [0, -1]) {
      await expect(
        db.asOwner("insert into ledger_entries values ($1, $3, $2, 5, 5)", [
          account_id,
          transaction_id,
          version,
        ]),
      ).rejects.toMatchObject({ constraint: "ledger_entries_account_version_check" });
    }
  });

  test("a currency is three capital letters", async () => {
    for (const currency of ["usd", "US", "USDT", "U1D", ""])
      await expect(
        post([
          ["z:c", currency, 5],
          ["z:d", currency, -5],
        ]),
      ).rejects.toMatchObject({ code: "23514" });
  });

  test("one name is written once; with other entries it is refused", async () => {
    expect(
      await post([
        ["w:a", "USD", 5],
        ["w:b", "USD", -5],
      ]),
    ).toEqual([{ outcome: "posted" }]);
    expect(
      await post([
        ["w:a", "USD", 5],
        ["w:b", "USD", -5],
      ]),
    ).toEqual([{ outcome: "already_posted" }]);
    expect(
      await post([
        ["w:a", "USD", 6],
        ["w:b", "USD", -6],
      ]),
    ).toEqual([{ outcome: "name_conflict" }]);
    await expect(
      db.asOwner(
        "insert into ledger_transactions (created_at, xid, kind, subject_type, subject_id, part) values (now(), 1, 'adjusted', 'adjustment', $1, '')",
        [`s${run}`],
      ),
    ).rejects.toMatchObject({ code: "23505" });
    expect(
      await db.asOwner("select balance_minor::text as b from ledger_accounts where code = 'w:a'"),
    ).toEqual([{ b: "5" }]);
  });

  test("an account does not fall below its floor, by the door or past it (R201)", async () => {
    expect(
      await post(
        [
          ["floor:a", "USD", 5],
          ["floor:b", "USD", -5],
        ],
        -5,
      ),
    ).toEqual([{ outcome: "posted" }]);
    run += 1;
    expect(
      await post([
        ["floor:a", "USD", 1],
        ["floor:b", "USD", -1],
      ]),
    ).toEqual([{ outcome: "below_floor" }]);
    await expect(
      db.asOwner("update ledger_accounts set balance_minor = -6 where code = 'floor:b'"),
    ).rejects.toMatchObject({ code: "23514" });
  });

  test("a balance that no longer fits 64 bits is refused, not wrapped", async () => {
    const max = "9223372036854775807";
    await post([
      ["big:a", "USD", max as unknown as number],
      ["big:b", "USD", `-${max}` as unknown as number],
    ]);
    run += 1;
    await expect(
      post([
        ["big:a", "USD", 1],
        ["big:b", "USD", -1],
      ]),
    ).rejects.toMatchObject({ code: "22003" });
    expect(
      await db.asOwner("select balance_minor::text as b from ledger_accounts where code = 'big:a'"),
    ).toEqual([{ b: max }]);
  });
});
