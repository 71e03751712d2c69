import { loadConfig } from "../config/config.ts";
import { closePeriod } from "../ledger/ledger.ts";
import { cliAuthor } from "./author.ts";
import { openDatabase } from "./compose.ts";
import { withOwnerDatabase } from "./configured-database.ts";

/** `pacioli close-period`: from then on no transaction takes effect before a time. */
export async function closePeriodCommand(options: {
  readonly until: string;
  readonly as?: string;
}): Promise<void> {
  const until = new Date(options.until);
  if (Number.isNaN(until.getTime())) throw new Error(`"${options.until}" is not a time such as 2026-01-01.`);
  await withOwnerDatabase(loadConfig("development"), async (url) => {
    const database = openDatabase(url, 1, "pacioli-close-period");
    try {
      const author = cliAuthor(options.as).actor;
      if (!(await closePeriod(database, until.toISOString(), author)))
        throw new Error("That time is in the future, or the books are closed until then or longer already.");
      process.stdout.write(`Closed until ${until.toISOString()}: what is booked later takes effect then.\n`);
    } finally {
      await database.close();
    }
  });
}
