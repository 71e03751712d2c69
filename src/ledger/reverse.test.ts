import { expect, test } from "vitest";
import { account, adjustment, eur, purse, transfer } from "../../test/support/ledger.ts";
import { shareLedger } from "../../test/support/shared-ledger.ts";
import { reverse, type Posting } from "./ledger.ts";

const books = shareLedger();
const { post, balanceOf } = books;

const cash = account("cash");
const undo = (subject_id: string): Promise<Posting> =>
  books.db.database.transaction((tx) => reverse(tx, adjustment(subject_id), "posted by mistake"));

test("a reversal posts the opposite entries in every currency and points at what it reverses", async () => {
  const [original] = await post({
    ...adjustment("mistake"),
    entries: [
      ...transfer("", cash, purse("seller"), 10n).entries,
      ...transfer("", account("cash", { currency: eur }), purse("seller", eur), 3n).entries,
    ],
  });
  const reversal = await undo("mistake");
  expect(reversal.outcome).toBe("posted");
  expect([await balanceOf("seller"), await balanceOf("seller", eur), await balanceOf("cash")]).toEqual([
    0n,
    0n,
    0n,
  ]);
  expect(
    await books.db.asService(
      "select kind, subject_type, subject_id, part, description, reverses_transaction_id from ledger_transactions where transaction_id = $1",
      [reversal.transaction_id],
    ),
  ).toEqual([
    {
      kind: "reversed",
      subject_type: "adjustment",
      subject_id: "mistake",
      part: String(original?.transaction_id),
      description: "posted by mistake",
      reverses_transaction_id: String(original?.transaction_id),
    },
  ]);
});

test("a second reversal finds the first one", async () => {
  await post(transfer("once", cash, purse("once"), 10n));
  const first = await undo("once");
  expect(await undo("once")).toEqual({ outcome: "already_posted", transaction_id: first.transaction_id });
  expect(await balanceOf("once")).toBe(0n);
});

test("two reversals at the same moment: one is posted", async () => {
  await post(transfer("raced", cash, purse("raced"), 10n));
  const outcomes = (await Promise.all([undo("raced"), undo("raced")])).map((posting) => posting.outcome);
  expect(outcomes.toSorted()).toEqual(["already_posted", "posted"]);
});

test("a transaction is reversed once, whatever name the other reversal has", async () => {
  const [original] = await post(transfer("twice", cash, purse("twice"), 10n));
  await undo("twice");
  const other = {
    ...transfer("another name", purse("twice"), cash, 1n),
    reverses_transaction_id: original?.transaction_id ?? 0n,
  };
  const postings = await post(transfer("neighbour", cash, purse("twice"), 5n), other);
  expect(postings.map((posting) => posting.outcome)).toEqual(["posted", "already_reversed"]);
});

test("an unknown transaction cannot be reversed", async () => {
  await expect(undo("never posted")).rejects.toMatchObject({ code: "not_found", param: "subject_id" });
});

test("a reversal that would take what is gone is refused by the floor", async () => {
  await post(transfer("earned", cash, purse("spender"), 10n), transfer("spent", purse("spender"), cash, 8n));
  expect(await undo("earned")).toEqual({ outcome: "below_floor", transaction_id: null });
  expect(await balanceOf("spender")).toBe(-2n);
});
