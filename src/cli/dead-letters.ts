import { createClock } from "../clock.ts";
import { loadConfig } from "../config/config.ts";
import type { Database, Transaction } from "../db/db.ts";
import { Jobs, selectDeadLetter, selectDeadLetters } from "../jobs/jobs.ts";
import { createLogger } from "../log.ts";
import { createActions, historyOf, type Actions } from "../payments/payments.ts";
import { cliAuthor } from "./author.ts";
import { openDatabase } from "./compose.ts";
import { withServiceDatabase } from "./configured-database.ts";

export function listDeadLetters(state: string): Promise<void> {
  return withActions(async ({ database }) => {
    const letters = await selectDeadLetters(database, { state, limit: 100 });
    for (const { dead_letter_id, created_at, queue, subject_id, reason } of letters) {
      process.stdout.write(`${dead_letter_id}  ${created_at}  ${queue}  ${subject_id}\n    ${reason}\n`);
    }
    process.stdout.write(`${letters.length} dead letters ${state}.\n`);
  });
}

/** One dead letter with the whole history of what it is about. */
export function showDeadLetter(id: string): Promise<void> {
  return withActions(async ({ database }) => {
    const found = await database.snapshot(async (snapshot) => {
      const letter = await selectDeadLetter(snapshot, id);
      return letter && { letter, history: await historyOf(snapshot, letter) };
    });
    if (found === undefined)
      throw new Error(`There is no dead letter ${id}; see \`pacioli dead-letters list\`.`);
    process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  });
}

export function redriveDeadLetter(id: string, options: { note?: string; as?: string }): Promise<void> {
  const author = cliAuthor(options.as);
  return withActions(async ({ inTransaction }) => {
    const letter = await inTransaction((tx, actions) =>
      actions.redrive(tx, id, author, options.note ?? null),
    );
    process.stdout.write(`${id}: ${letter.subject_id} is queued to be tried again.\n`);
  });
}

export function discardDeadLetter(id: string, options: { note: string; as?: string }): Promise<void> {
  const author = cliAuthor(options.as);
  return withActions(async ({ inTransaction }) => {
    const letter = await inTransaction((tx, actions) => actions.discard(tx, id, author, options.note));
    process.stdout.write(`${id}: ${letter.subject_id} is discarded.\n`);
  });
}

type Tools = {
  readonly database: Database;
  readonly inTransaction: <Result>(
    work: (tx: Transaction, actions: Actions) => Promise<Result>,
  ) => Promise<Result>;
};

export async function withActions(work: (tools: Tools) => Promise<void>): Promise<void> {
  const config = loadConfig("development");
  // The service there may be in production, where an approval proposed ahead of time would not expire.
  if (config.clock_offset_seconds !== 0 && config.database_url !== undefined)
    throw new Error(
      "CLOCK_OFFSET_SECONDS: unset it; commands on the database of DATABASE_URL take real time.",
    );
  await withServiceDatabase(config, async (url) => {
    const log = createLogger(config.log_level);
    const database = openDatabase(url, 2, "pacioli-cli");
    const jobs = new Jobs({ url, log, lease_seconds: config.payments.lease_seconds, is_supervisor: false });
    await jobs.start();
    try {
      const actions = createActions(jobs, {
        clock: createClock(config.clock_offset_seconds),
        retries_max: config.payments.retry_attempts_max,
        lease_seconds: config.payments.lease_seconds,
        approval_hours: config.payments.approval_hours,
        // The limits are settings, and the user of the command line could change them.
        approval_amounts: null,
      });
      await work({ database, inTransaction: (run) => database.transaction((tx) => run(tx, actions)) });
    } finally {
      await jobs.stop();
      await database.close();
    }
  });
}
