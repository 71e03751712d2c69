import { createClock } from "../clock.ts";
import { loadConfig } from "../config/config.ts";
import { detachPartitions } from "../ledger/ledger.ts";
import { openDatabase } from "./compose.ts";
import { withOwnerDatabase } from "./configured-database.ts";

/** What is detached cannot be reversed, and a card payment may be disputed for half a year and more. */
const age_days_min = 400;

/** `pacioli detach-entries`: takes old, verified entries out of the ledger's table. */
export async function detachEntries({ before }: { readonly before: string }): Promise<void> {
  const config = loadConfig("development");
  const time = new Date(before);
  if (Number.isNaN(time.getTime())) throw new Error(`"${before}" is not a time such as 2026-01-01.`);
  if (time.getTime() > createClock(config.clock_offset_seconds).now().getTime() - age_days_min * 86_400_000)
    throw new Error(
      `Entries stay for ${age_days_min} days, in which a payment may still fail or be disputed.`,
    );
  await withOwnerDatabase(config, async (url) => {
    const database = openDatabase(url, 1, "pacioli-detach");
    try {
      const names = await detachPartitions(database, time.toISOString());
      process.stdout.write(
        names.length === 0
          ? "Nothing to detach: no partition has only verified entries from before that time.\n"
          : `Detached ${names.join(", ")}. Store them elsewhere (pg_dump -t), then drop them.\n`,
      );
    } finally {
      await database.close();
    }
  });
}
