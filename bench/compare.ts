import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { compareLatency, type LatencyComparison, type Side } from "./compare-latency.ts";
import { compareRounds, type Comparison } from "./figures.ts";
import { printJson, printTable, progress } from "./report.ts";

const root = join(import.meta.dirname, "..");
const rounds = 3;
const within = 0.05;

const benchmarks = {
  ledger: ["ledger"],
  payments: ["payments"],
  "payments with webhooks": ["payments", "--webhooks"],
} as const;

/** Measured with both sides running, in slices by turns, and not in rounds. */
const latencies = {
  latency: { has_webhooks: false, slices: 40 },
  "latency --webhooks": { has_webhooks: true, slices: 40 },
} as const;

const names = [...Object.values(benchmarks).map((command) => command.join(" ")), ...Object.keys(latencies)];

/**
 * Runs the benchmarks of another commit and of this working tree in turn, so that both see the same changes
 * in machine speed, and prints the ratios of the medians. Each side runs its own benchmark code on a database
 * of its own.
 */
export async function benchCompare(revision: string, only: readonly string[]): Promise<void> {
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new Error(`no benchmark is called ${unknown.join(", ")}: choose of ${names.join(", ")}`);
  const isChosen = (name: string): boolean => only.length === 0 || only.includes(name);
  const before = await checkOut(revision);
  const after: Side = { name: "working tree", folder: root };
  for (const [title, command] of Object.entries(benchmarks))
    if (isChosen(command.join(" "))) await compareInRounds(title, command, before, after);
  for (const [name, options] of Object.entries(latencies))
    if (isChosen(name)) reportLatency(name, before.name, await compareLatency(before, after, options));
}

async function compareInRounds(
  title: string,
  command: readonly string[],
  before: Side,
  after: Side,
): Promise<void> {
  const results = { before: [] as unknown[], after: [] as unknown[] };
  for (let round = 1; round <= rounds; round++) {
    // The order changes with each round, so that neither side always runs on a warmer machine.
    for (const side of round % 2 === 1 ? [before, after] : [after, before]) {
      progress(`${title}, round ${round} of ${rounds}: ${side.name} …`);
      results[side === before ? "before" : "after"].push(await run(side, command));
    }
  }
  report(title, before.name, compareRounds(results.before, results.after));
}

/** The commit in a folder of its own, with its own packages; kept for the next comparison. */
async function checkOut(revision: string): Promise<Side> {
  const sha = git("rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`).slice(0, 12);
  const folder = join(root, ".pacioli/compare", sha);
  if (!existsSync(folder)) {
    progress(`checking out ${sha} …`);
    git("worktree", "prune");
    git("worktree", "add", "--force", "--detach", folder, sha);
  }
  if (!existsSync(join(folder, "node_modules/.package-lock.json"))) {
    progress(`installing the packages of ${sha} …`);
    const installed = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--prefer-offline"], {
      cwd: folder,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    if (installed.status !== 0) throw new Error(`npm ci failed for ${sha}: ${installed.stderr}`);
  }
  return { name: sha, folder };
}

/** A benchmark's own process; its last line is JSON. */
async function run({ name, folder }: Side, command: readonly string[]): Promise<unknown> {
  const bin = join(folder, "node_modules/.bin");
  const child = spawn(process.execPath, ["bench/main.ts", ...command], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` },
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    printed += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`${command.join(" ")} of ${name} ended with ${String(code)}:\n${printed}`);
  const lastLine = printed.trimEnd().split("\n").at(-1) ?? "";
  return JSON.parse(lastLine);
}

function report(title: string, before: string, compared: readonly Comparison[]): void {
  printTable(
    `${title}: medians of ${rounds} rounds, ${before} and the working tree in turn`,
    compared.map((one) => ({
      figure: one.name,
      [before]: Math.round(one.before * 10) / 10,
      "working tree": Math.round(one.after * 10) / 10,
      ratio: one.ratio.toFixed(3),
      "rounds apart": percent(one.spread),
      verdict: verdictOn(one),
    })),
  );
  printJson({ benchmark: "compare", of: title, before, rounds, figures: compared });
}

function reportLatency(title: string, before: string, compared: readonly LatencyComparison[]): void {
  printTable(
    `${title} at 100/s: medians of ${latencies.latency.slices} slices of each, ${before} and the working tree by turns`,
    compared.map((one) => ({
      figure: one.name,
      [before]: one.before,
      "working tree": one.after,
      ratio: one.ratio.toFixed(3),
      "standard error": percent(one.standard_error),
    })),
  );
  printJson({ benchmark: "compare", of: title, before, figures: compared });
}

function verdictOn({ gain, spread }: Comparison): string {
  if (gain >= -within) return gain > within ? `${percent(gain)} better` : `within ${percent(within)}`;
  return `${percent(-gain)} worse${spread > -gain ? ", less than the rounds are apart" : ""}`;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

function git(...command: readonly string[]): string {
  const done = spawnSync("git", [...command], { cwd: root, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`git ${command.join(" ")}: ${done.stderr.trim()}`);
  return done.stdout.trim();
}
