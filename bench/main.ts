import { benchCompare } from "./compare.ts";
import { benchGrowth } from "./growth.ts";
import { benchLedger } from "./ledger.ts";
import { benchPayments } from "./payments.ts";
import { startServer } from "./server.ts";

const usage = `npm run bench -- ledger
npm run bench -- growth [ENTRIES]
npm run bench -- payments [--webhooks]
npm run bench -- compare REVISION [ledger] [payments] ["payments --webhooks"] [latency] ["latency --webhooks"]
`;

const [name, ...rest] = process.argv.slice(2);
if (name === "compare") {
  const [revision, ...only] = rest;
  if (revision === undefined) refuse();
  await benchCompare(revision, only);
} else if (name === "ledger" || name === "payments" || name === "growth") {
  await benchOnServer(name);
} else {
  refuse();
}

async function benchOnServer(benchmark: "ledger" | "payments" | "growth"): Promise<void> {
  const server = await startServer();
  try {
    if (benchmark === "ledger") await benchLedger(server);
    else if (benchmark === "growth") await benchGrowth(server, Number(rest[0] ?? 20_000_000));
    else await benchPayments(server, { has_webhooks: rest.includes("--webhooks") });
  } finally {
    await server.stop();
  }
}

function refuse(): never {
  process.stderr.write(usage);
  process.exit(2);
}
