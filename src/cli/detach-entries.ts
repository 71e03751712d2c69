import { loadConfig } from "../config/config.ts";
import { detachPartitions } from "../ledger/ledger.ts";
import { openDatabase } from "./compose.ts";
import { withOwnerDatabase } from "./configured-database.ts";

/** `pacioli detach-entries`: takes old, verified entries out of the ledger's table. */
export async function detachEntries({ before }: { readonly before: string }): Promise<void> {
  const time = new Date(before);
  if (Number.isNaN(time.getTime())) throw new Error(`"${before}" is not a time such as 2026-01-01.`);
  await withOwnerDatabase(loadConfig("development"), async (url) => {
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
