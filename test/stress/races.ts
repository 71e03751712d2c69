/** `npm run races -- [--seed N] [--count N]`: debits over five accounts, raced against releases and credits. */
import { parseArgs } from "node:util";
import { Random } from "../../chaos/random.ts";
import { verifyLedger } from "../../src/ledger/ledger.ts";
import { createTestDatabase } from "../support/database.ts";
import setup from "../support/global-setup.ts";
import { runRace } from "../support/ordered-races.ts";

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, count: { type: "string", default: "1000" } },
});
const [seed, count] = [Number(values.seed), Number(values.count)];
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(count) || count < 1) {
  process.stderr.write("npm run races -- [--seed N] [--count N]\n");
  process.exit(2);
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const random = new Random(seed);
const draw = (bound: number): number => random.integer(0, bound - 1);
const stopServer = await setup();
const db = await createTestDatabase();
const wrong: string[] = [];
try {
  for (let race = 1; race <= count; race++) {
    const found = await runRace(db.database, `race-${seed}-${race}`, draw);
    if (found !== null) wrong.push(found);
    if (race % 100 === 0) print(`${race} of ${count} races, ${wrong.length} unexplained`);
  }
  const checks = await verifyLedger(db.database);
  const faults = checks.flatMap((check) => check.faults);
  for (const line of [...wrong, ...faults.map((fault) => JSON.stringify(fault))]) print(`✗ ${line}`);
  print(`seed ${seed}: ${count} races, ${wrong.length} unexplained, ${faults.length} faults in the books`);
  if (wrong.length + faults.length > 0) process.exitCode = 1;
} finally {
  await db.drop();
  await stopServer();
}
