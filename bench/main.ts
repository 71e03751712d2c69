import { benchLedger } from "./ledger.ts";
import { benchPayments } from "./payments.ts";
import { startServer } from "./server.ts";

const [name, ...flags] = process.argv.slice(2);
if (name !== "ledger" && name !== "payments") {
  process.stderr.write("npm run bench -- ledger\nnpm run bench -- payments [--webhooks]\n");
  process.exit(2);
}
const server = await startServer();
try {
  if (name === "ledger") await benchLedger(server);
  else await benchPayments(server, { has_webhooks: flags.includes("--webhooks") });
} finally {
  await server.stop();
}
