/** `npm run hostile -- [--seed N] [--requests N]`: the hostile suite at length, on a stack of its own. */
import { parseArgs } from "node:util";
import setup from "../support/global-setup.ts";
import { startTestStack } from "../support/stack.ts";
import { runHostile } from "./run.ts";

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, requests: { type: "string", default: "20000" } },
});
const [seed, requests] = [Number(values.seed), Number(values.requests)];
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(requests) || requests < 1) {
  process.stderr.write("npm run hostile -- [--seed N] [--requests N]\n");
  process.exit(2);
}

const stopServer = await setup();
const stack = await startTestStack();
try {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const { findings, statuses } = await runHostile(stack, { seed, requests, on_progress: print });
  for (const { request, faults } of findings) print(`\n✗ ${faults.join("; ")}\n  ${JSON.stringify(request)}`);
  print(
    `\nseed ${seed}: ${[...statuses]
      .toSorted(([a], [b]) => a - b)
      .map(([status, count]) => `${count} × ${status}`)
      .join(", ")}`,
  );
  print(findings.length === 0 ? `${requests} requests, nothing found` : `${findings.length} findings`);
  if (findings.length > 0) process.exitCode = 1;
} finally {
  await stack.stopAll();
  await stopServer();
}
