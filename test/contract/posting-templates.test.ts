import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reversalsOf, type TransactionDraft, type TransactionName } from "../../src/ledger/ledger.ts";
import { postingsOf, undoneCaptures } from "../../src/payments/posting/postings.ts";
import { postInOrder } from "../support/booked-orders.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

/** A line of the table in docs/ledger.md. */
type Row = {
  readonly event: string;
  readonly template: string;
  /** Kind, and part if it has one. */
  readonly name: string;
  readonly debit: readonly string[];
  readonly credit: readonly string[];
};

async function documentedRows(): Promise<Row[]> {
  const lines = (await read("docs/ledger.md"))
    .split("\n")
    .filter((line) => /^\| [a-z][^|]*\| `(?:\w+Posting|reversalsOf)` \|/.test(line));
  return lines.map((line) => {
    const [, event = "", template = "", name = "", debit = "", credit = ""] = line.split("|");
    return {
      event: event.trim(),
      template: codesIn(template).join(),
      name: codesIn(name).join(),
      debit: codesIn(debit).toSorted(),
      credit: codesIn(credit).toSorted(),
    };
  });
}

const codesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => String(code));

type Booking = Parameters<typeof postingsOf>[1];
const order = {
  payment_order_id: "<order>",
  seller_account: "<seller>",
  amount_minor: 10_000n,
  currency: "USD",
  psp: "<psp>",
  captured_minor: 0n,
  failed_capture_count: 0,
};

function posted(booking: Partial<Booking>, operation_id: string | null = null): TransactionDraft[] {
  const nothing = { authorizes_minor: 0n, captures_minor: 0n, releases_minor: 0n, undoes_minor: 0n };
  return postingsOf({ ...order, operation_id }, { ...nothing, ...booking }, 250n);
}

/** What the service posts for each event, in an order in which no floor is in the way. */
const events: readonly { readonly event: string; readonly draft: () => Promise<TransactionDraft[]> }[] = [
  { event: "authorised", draft: async () => posted({ authorizes_minor: 10_000n }) },
  { event: "captured at once", draft: async () => posted({ captures_minor: 10_000n }) },
  {
    event: "captured of an authorisation",
    draft: async () => posted({ captures_minor: 6_000n }, "<operation>"),
  },
  { event: "rest released", draft: async () => posted({ releases_minor: 4_000n }) },
  {
    event: "capture reversed",
    draft: () => {
      const undone = { undoes_minor: 6_000n, operation: {} };
      const names = undoneCaptures({ ...order, operation_id: "<operation>" }, undone);
      return reversalsOf(db.database, names, "the capture failed at the PSP");
    },
  },
  {
    event: "failed capture released",
    draft: async () => posted({ releases_minor: 6_000n, undoes_minor: 6_000n }, "<operation>"),
  },
];

function documentedName({ kind, part }: TransactionName): string {
  if (part === "") return kind;
  return `${kind},${kind === "reversed" ? "<transaction>" : part}`;
}

async function codesOf({ kind, part }: TransactionName, side: "debit" | "credit"): Promise<string[]> {
  const lines = await db.asService(
    `select code from ledger_entry_lines
      where subject_type = 'order' and subject_id = '<order>' and kind = $1 and part = $2
        and (amount_minor > 0) = $3`,
    [kind, part, side === "debit"],
  );
  return lines.map(({ code }) => String(code)).toSorted();
}

test("docs/ledger.md names, for each event, the name and the accounts that the service debits and credits", async () => {
  const rows = await documentedRows();
  expect(rows.map(({ event }) => event)).toEqual(events.map(({ event }) => event));
  for (const [index, { event, draft }] of events.entries()) {
    const drafts = await draft();
    await postInOrder(db, drafts);
    const [booked] = drafts;
    if (booked === undefined) throw new Error(`${event} books nothing`);
    const found = {
      event,
      name: documentedName(booked),
      debit: await codesOf(booked, "debit"),
      credit: await codesOf(booked, "credit"),
    };
    const { template: _, ...documented } = rows[index] ?? { template: "" };
    expect(documented).toEqual(found);
  }
  const held =
    "select code, balance_minor from ledger_accounts where code in ('psp:<psp>:authorized', 'authorizations')";
  for (const account of await db.asService(held)) expect(account).toMatchObject({ balance_minor: "0" });
});

test("docs/ledger.md has every template of postings.ts, and no other", async () => {
  const source = await read("src/payments/posting/postings.ts");
  const templates = [...source.matchAll(/function (\w+Posting)\(/g)].map(([, name]) => name);
  const named = (await documentedRows()).map(({ template }) => template);
  expect([...new Set(named)].toSorted()).toEqual([...templates, "reversalsOf"].toSorted());
});
