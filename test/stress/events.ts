/** `npm run event-stress -- [--seconds N] [--seed N]`: writers, slow transactions, and followers that are killed. */
import { parseArgs } from "node:util";
import { createTestDatabase } from "../support/database.ts";
import setup from "../support/global-setup.ts";
import { runEventStorm } from "./event-storm.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: "1" } },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!Number.isSafeInteger(seed) || !(seconds > 0)) {
  process.stderr.write("npm run event-stress -- [--seconds N] [--seed N]\n");
  process.exit(2);
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const stopServer = await setup();
const db = await createTestDatabase();
try {
  const { written, kills, missed_by_number, faults } = await runEventStorm(db, { seconds, seed });
  for (const fault of faults.slice(0, 20)) print(`✗ ${fault}`);
  print(
    `seed ${seed}: ${written} events, ${kills} kills, ${faults.length} faults; ` +
      `${missed_by_number} would have been missed by number`,
  );
  if (faults.length > 0) process.exitCode = 1;
} finally {
  await db.drop();
  await stopServer();
}
