import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Comparison } from "./by-turns.ts";
import { compareLatency } from "./compare-latency.ts";
import { compareLedgers } from "./compare-ledger.ts";
import { comparePayments } from "./compare-payments.ts";
import { printJson, printTable, progress } from "./report.ts";
import type { Side } from "./two-stacks.ts";

const root = join(import.meta.dirname, "..");

type Compare = (sides: readonly [Side, Side]) => Promise<readonly Comparison[]>;

const comparisons: Readonly<Record<string, Compare>> = {
  ledger: compareLedgers,
  payments: (sides) => comparePayments(sides, { has_webhooks: false }),
  "payments --webhooks": (sides) => comparePayments(sides, { has_webhooks: true }),
  latency: (sides) => compareLatency(sides, { has_webhooks: false }),
  "latency --webhooks": (sides) => compareLatency(sides, { has_webhooks: true }),
};

/**
 * Measures another commit and this working tree in one run, by turns of a few seconds, and prints the ratios
 * with their standard errors. In rounds of a minute the same commit differed from itself by 7 to 52 %.
 */
export async function benchCompare(revision: string, only: readonly string[]): Promise<void> {
  const names = Object.keys(comparisons);
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new Error(`no benchmark is called ${unknown.join(", ")}: choose of ${names.join(", ")}`);
  const before = await checkOut(revision);
  const after: Side = { name: "working tree", folder: root };
  for (const [name, compare] of Object.entries(comparisons))
    if (only.length === 0 || only.includes(name)) report(name, before.name, await compare([before, after]));
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

function report(title: string, before: string, compared: readonly Comparison[]): void {
  printTable(
    `${title}: medians of the slices, ${before} and the working tree by turns`,
    compared.map((one) => ({
      figure: one.name,
      [before]: one.before,
      "working tree": one.after,
      ratio: one.ratio.toFixed(3),
      "standard error": `${(one.standard_error * 100).toFixed(1)} %`,
    })),
  );
  printJson({ benchmark: "compare", of: title, before, figures: compared });
}

function git(...command: readonly string[]): string {
  const done = spawnSync("git", [...command], { cwd: root, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`git ${command.join(" ")}: ${done.stderr.trim()}`);
  return done.stdout.trim();
}
