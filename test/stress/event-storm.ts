import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { Random } from "../../chaos/random.ts";
import { Database } from "../../src/db/db.ts";
import { createTicker, readEvents, type EventCursor } from "../../src/events/events.ts";
import type { TestDatabase } from "../support/database.ts";
import { preparation, writeEvents, writeSlowly } from "./event-writers.ts";

export type Seen = { readonly event_number: bigint; readonly subject_id: string };
export type StormResult = {
  readonly written: number;
  readonly kills: number;
  /** How many a reader that goes by number alone did not see: without any the storm would prove nothing. */
  readonly missed_by_number: number;
  /** What a follower or a reader missed, saw twice, saw out of order or invented. */
  readonly faults: readonly string[];
};

const writer_count = 64;
/** Nobody else writes these two. */
const slow_places = [1_001, 1_003];

/**
 * Writers race while a follower that is killed again and again, one that is not, a reader with a cursor and
 * one that goes by number read.
 */
export async function runEventStorm(
  db: TestDatabase,
  { seconds, seed }: { seconds: number; seed: number },
): Promise<StormResult> {
  for (const statement of preparation) await db.asOwner(statement);
  await db.asOwner(`grant all on storm_subjects, seen_events to ${db.service_role}`);
  const writers = openDatabase(db, "storm-writers", writer_count + slow_places.length);
  const readers = openDatabase(db, "storm-readers", 6);
  const log = pino({ level: "silent" });
  // As two processes of `work` would.
  const tickers = [1, 2].map(() => createTicker({ database: readers, log }));
  for (const ticker of tickers) ticker.start();
  let areWritersOver = false;
  let isOver = false;
  const areAllOver = (): boolean => isOver;
  const steady = startFollower(db, "steady");
  const killed = killAgainAndAgain(db, "killed", () => areWritersOver);
  const byCursor = readByCursor(readers, areAllOver);
  const byNumber = readByNumber(readers, areAllOver);
  try {
    const random = new Random(seed);
    const over = (): boolean => areWritersOver;
    const writing = Promise.all([
      ...Array.from({ length: writer_count }, (_, n) => writeEvents(writers, random.fork(`${n}`), over)),
      ...slow_places.map((place) => writeSlowly(writers, place, over)),
    ]);
    await Promise.race([sleep(seconds * 1_000), writing]);
    areWritersOver = true;
    await writing;
    const written = await writtenEvents(db);
    await untilSeen(db, written.length);
    // What comes now would be too much.
    await sleep(500);
    isOver = true;
    const numbers = new Set((await byNumber).map(({ event_number }) => event_number));
    return {
      written: written.length,
      kills: (await killed).kills,
      missed_by_number: written.filter(({ event_number }) => !numbers.has(event_number)).length,
      faults: [
        ...faultsOf("the follower that is killed", written, await seenBy(db, "killed")),
        ...faultsOf("the steady follower", written, await seenBy(db, "steady")),
        ...faultsOf("the reader with a cursor", written, await byCursor),
      ],
    };
  } finally {
    areWritersOver = true;
    isOver = true;
    for (const child of [steady, (await killed).child]) child.kill("SIGKILL");
    await Promise.allSettled([byCursor, byNumber, ...tickers.map((ticker) => ticker.stop())]);
    await Promise.all([writers.close(), readers.close()]);
  }
}

const openDatabase = (db: TestDatabase, application_name: string, connections_max: number): Database =>
  new Database({ url: db.service_url, application_name, connections_max });

function startFollower(db: TestDatabase, name: string): ChildProcess {
  const program = join(import.meta.dirname, "event-follower.ts");
  return spawn(process.execPath, [program, db.service_url, name], { stdio: ["ignore", "ignore", "inherit"] });
}

/** Lets each process live a little longer than it needs to start; the last one lives on. */
async function killAgainAndAgain(
  db: TestDatabase,
  name: string,
  isOver: () => boolean,
): Promise<{ kills: number; child: ChildProcess }> {
  let child = startFollower(db, name);
  for (let kills = 0; ; kills++) {
    for (let waited = 0; waited < 13 && !isOver(); waited++) await sleep(100);
    if (isOver()) return { kills, child };
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    child = startFollower(db, name);
  }
}

async function readByCursor(database: Database, isOver: () => boolean): Promise<Seen[]> {
  const seen: Seen[] = [];
  let cursor: EventCursor | null = null;
  for (;;) {
    const isLast = isOver();
    const page = await readEvents(database, cursor, 50);
    ({ cursor } = page);
    seen.push(...page.events);
    if (page.has_more) continue;
    if (isLast) return seen;
    await sleep(20);
  }
}

async function readByNumber(database: Database, isOver: () => boolean): Promise<Seen[]> {
  const seen: Seen[] = [];
  while (!isOver()) {
    const events = await database.query<Seen>(
      "select event_number, subject_id from event_log where event_number > $1 order by event_number limit 500",
      [seen.at(-1)?.event_number ?? 0n],
    );
    seen.push(...events);
    await sleep(20);
  }
  return seen;
}

const seenOf = (rows: readonly Record<string, unknown>[]): Seen[] =>
  rows.map((row) => ({
    event_number: BigInt(String(row["event_number"])),
    subject_id: String(row["subject_id"]),
  }));

const writtenEvents = async (db: TestDatabase): Promise<Seen[]> =>
  seenOf(await db.asOwner("select event_number, subject_id from event_log order by event_number"));

const seenBy = async (db: TestDatabase, follower: string): Promise<Seen[]> =>
  seenOf(
    await db.asOwner("select event_number, subject_id from seen_events where follower = $1 order by place", [
      follower,
    ]),
  );

async function untilSeen(db: TestDatabase, count: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const rows = await db.asOwner("select follower from seen_events group by 1 having count(*) >= $1", [
      count,
    ]);
    if (rows.length === 2) return;
    await sleep(100);
  }
}

function faultsOf(who: string, written: readonly Seen[], seen: readonly Seen[]): string[] {
  const faults: string[] = [];
  const known = new Set(written.map(({ event_number }) => event_number));
  const lastOf = new Map<string, bigint>();
  const numbers = new Set<bigint>();
  for (const { event_number, subject_id } of seen) {
    if (!known.has(event_number)) faults.push(`${who} saw ${event_number}, which was never committed`);
    if (numbers.has(event_number)) faults.push(`${who} saw ${event_number} twice`);
    else if ((lastOf.get(subject_id) ?? 0n) > event_number)
      faults.push(`${who} saw ${event_number} of ${subject_id} too late`);
    numbers.add(event_number);
    lastOf.set(subject_id, event_number);
  }
  const missed = written.filter(({ event_number }) => !numbers.has(event_number));
  return [...faults, ...missed.map(({ event_number }) => `${who} missed ${event_number}`)];
}
