import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findBroken } from "../../chaos/report.ts";
import { runChaos } from "../../chaos/run.ts";
import { freePort } from "../support/stack.ts";

test("a short history of chaos breaks no promise", async () => {
  const data_dir = await mkdtemp(join(tmpdir(), "pacioli-chaos-"));
  // Open to the account that PostgreSQL runs as under root, so that the cluster stays in this folder.
  await chmod(data_dir, 0o755);
  try {
    const report = await runChaos({
      seed: 17,
      payments: 60,
      data_dir,
      port: await freePort(),
      is_kept: false,
      signal: new AbortController().signal,
      on_phase: () => undefined,
      on_progress: () => undefined,
      on_fault: () => undefined,
    });
    expect(report.checks.flatMap((check) => check.faults)).toEqual([]);
    expect(findBroken(report)).toEqual([]);
    expect(report.checks.filter((check) => check.checked_count === 0n)).toEqual([]);
    expect(report.deaths.service).toBeGreaterThan(0);
    expect(report.states.get("SUCCESS")).toBeGreaterThan(20);
  } finally {
    await rm(data_dir, { recursive: true, force: true });
  }
}, 150_000);
