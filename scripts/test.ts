/**
 * `npm test`: all that must hold before a change goes in. Goes on after a failure, so that one run shows all of them.
 * Arguments go to vitest and leave out the rest: `npm test -- src/money`.
 */
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";

const root = join(import.meta.dirname, "..");
const tools = join(root, "node_modules");

type Step = { readonly title: string; readonly command: readonly string[] };

const tests: Step = {
  title: "Tests (vitest)",
  command: [join(tools, "vitest/vitest.mjs"), "run", ...process.argv.slice(2)],
};
const all: readonly Step[] = [
  { title: "Types (tsc)", command: [join(tools, "typescript/bin/tsc"), "--noEmit"] },
  { title: "Format (oxfmt)", command: [join(tools, "oxfmt/bin/oxfmt"), "--check"] },
  { title: "Lint (oxlint)", command: [join(tools, "oxlint/bin/oxlint")] },
  { title: "House rules", command: ["scripts/house-rules.ts"] },
  { title: "Hashes of the migrations", command: ["scripts/hash-migrations.ts", "--check"] },
  tests,
];

/** Runs a step under the Node of the project, whatever the machine's is, and says whether it went well. */
function run(step: Step): boolean {
  const result = spawnSync(process.execPath, [...step.command], {
    cwd: root,
    stdio: "inherit",
    // Tests start some hundred processes: with what was compiled once, a service starts in 0.4 s of CPU instead of 0.6, a simulator in 0.1 instead of 0.25.
    env: {
      NODE_COMPILE_CACHE: join(root, ".pacioli/compile-cache"),
      ...process.env,
      PATH: `${join(tools, ".bin")}${delimiter}${process.env["PATH"] ?? ""}`,
    },
  });
  return result.status === 0;
}

process.stdout.write(`Node ${process.version}\n`);
const start = performance.now();
const steps = process.argv.length > 2 ? [tests] : all;
const results = steps.map((step, index) => {
  process.stdout.write(
    `\n── ${index + 1}/${steps.length}  ${step.title} ${"─".repeat(60 - step.title.length)}\n`,
  );
  const stepStart = performance.now();
  const isRight = run(step);
  return { title: step.title, is_right: isRight, seconds: (performance.now() - stepStart) / 1_000 };
});

const times = results
  .map(({ title, is_right, seconds }) => `${is_right ? "✓" : "✗"} ${title} ${seconds.toFixed(1)} s`)
  .join("   ");
const hasFailed = results.some((result) => !result.is_right);
process.stdout.write(
  `${times}\n${hasFailed ? "FAILED" : "All passed"} in ${((performance.now() - start) / 1_000).toFixed(1)} s\n`,
);
process.exitCode = hasFailed ? 1 : 0;
