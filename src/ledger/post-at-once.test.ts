import { expect, onTestFinished, test } from "vitest";
import { dropDatabase, onServer, serverUrl } from "../../test/support/database.ts";
import { account, adjustment, purse, transfer } from "../../test/support/ledger.ts";
import { outcomesOf, shareLedger } from "../../test/support/shared-ledger.ts";
import { Database, ensureServiceLogin, migrate } from "../db/db.ts";
import { openLedger, postAll, type Posting, type TransactionDraft } from "./ledger.ts";

const books = shareLedger();
const { post, balanceOf } = books;

const cash = account("cash");

test("an account that two posters make at the same moment is made once and holds both postings", async () => {
  for (let round = 0; round < 15; round++) {
    const seller = purse(`newborn-${round}`);
    const postings = await Promise.all(
      [1n, 2n].map((amount) => post(transfer(`newborn-${round}-${amount}`, cash, seller, amount))),
    );
    expect(outcomesOf(postings.flat())).toEqual(["posted", "posted"]);
    expect(await balanceOf(seller.code)).toBe(-3n);
  }
});

test("two posters of one transaction at the same moment: one posts, the other finds it posted", async () => {
  for (let round = 0; round < 10; round++) {
    const draft = transfer(`race-${round}`, cash, purse("race"), 1n);
    expect(outcomesOf((await Promise.all([post(draft), post(draft)])).flat()).toSorted()).toEqual([
      "already_posted",
      "posted",
    ]);
  }
  expect(await balanceOf("race")).toBe(-10n);
});

test("thirty posters that take from one purse at once get exactly what is in it", async () => {
  const seller = purse("shared");
  await post(transfer("shared-funding", cash, seller, 105n));
  const postings = await Promise.all(
    Array.from({ length: 30 }, (_, index) => post(transfer(`shared-${index}`, seller, cash, 10n))),
  );
  const outcomes = outcomesOf(postings.flat());
  expect(outcomes.filter((outcome) => outcome === "posted")).toHaveLength(10);
  expect(outcomes.filter((outcome) => outcome === "below_floor")).toHaveLength(20);
  expect(await balanceOf("shared")).toBe(-5n);
});

test("sixteen posters on one hot account never deadlock, whatever order they name accounts in, and leave no hole in its versions", async () => {
  const database = new Database({
    url: books.db.service_url,
    application_name: "test-hot",
    connections_max: 16,
  });
  onTestFinished(() => database.close());
  const hot = account("hot");
  const sellers = Array.from({ length: 12 }, (_, index) => purse(`hot:${"aAbBcCdDeEfF".charAt(index)}`));
  let runs = 0;
  const postOnce = (drafts: readonly TransactionDraft[]): Promise<readonly Posting[]> =>
    database.transaction((tx) => {
      runs += 1;
      return postAll(tx, drafts);
    });
  const rounds = 12;
  const poster = async (poster_number: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const drafts = sellers.slice(0, 6).map((_, index): TransactionDraft => {
        const seller =
          sellers[(poster_number * 5 + round * 7 + index * 5) % sellers.length] ?? purse("hot:none");
        const entries = transfer("", hot, seller, 1n).entries;
        return {
          ...adjustment(`hot-${poster_number}-${round}-${index}`),
          entries: index % 2 === 0 ? entries : entries.toReversed(),
        };
      });
      const outcomes = outcomesOf(await postOnce(drafts));
      if (outcomes.some((outcome) => outcome !== "posted")) throw new Error(outcomes.join());
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, index) => poster(index)));
  expect(runs).toBe(16 * rounds);
  const total = BigInt(16 * rounds * 6);
  expect(
    await books.db.asService(
      `select count(*), min(account_version) as first, max(account_version) as last, max(balance_after_minor) as balance
       from ledger_entries join ledger_accounts using (account_id) where code = 'hot'`,
    ),
  ).toEqual([{ count: String(total), first: "1", last: String(total), balance: String(total) }]);
});

test("posters that go the longer way lock in the same order as the others, also on a cluster whose text sorts by a language", async () => {
  const name = `${books.db.name}_icu`;
  await onServer(
    serverUrl(),
    `create database ${name} template template0 locale_provider icu icu_locale 'en-US'`,
  );
  onTestFinished(() => dropDatabase(serverUrl(), name));
  const url = books.db.url.replace(books.db.name, name);
  await migrate(url);
  const database = new Database({
    url: await ensureServiceLogin(url),
    application_name: "test-icu",
    connections_max: 8,
  });
  onTestFinished(() => database.close());
  // In "C" all capitals come first, in English each stands beside its small letter.
  const shared = Array.from("aAbBcCdDeEfF", (letter) => account(`shared:${letter}`));
  let runs = 0;
  await Promise.all(
    Array.from({ length: 8 }, async (_, poster) => {
      for (let round = 0; round < 4; round++) {
        const own = account(`z:${poster}`);
        const drafts = shared.map((one, index) => transfer(`${poster}-${round}-${index}`, own, one, 1n));
        const refused = transfer(`${poster}-${round}-refused`, purse(`z:empty:${poster}`), own, 5n);
        await database.transaction((tx) => {
          runs += 1;
          return postAll(tx, poster % 2 === 0 ? drafts : [...drafts, refused]);
        });
      }
    }),
  );
  expect(runs).toBe(32);
});

test("many callers share the commits of an open ledger, each answered for itself", async () => {
  const ledger = openLedger(books.db.database, 50);
  const seller = purse("many");
  const calls = Array.from({ length: 120 }, (_, index) =>
    ledger.post(transfer(`many-${index % 100}`, cash, seller, 1n)),
  );
  const outcomes = outcomesOf(await Promise.all(calls));
  await ledger.close();
  // Two flushes run at once, so either of two equal ones may be the first.
  expect(outcomes.slice(20, 100).every((outcome) => outcome === "posted")).toBe(true);
  for (let index = 0; index < 20; index++)
    expect([outcomes[index], outcomes[100 + index]].toSorted()).toEqual(["already_posted", "posted"]);
  expect(await balanceOf("many")).toBe(-100n);
});
