import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEmbeddedPostgres } from "../../src/db/embedded/embedded-postgres.ts";
import { startTestStack } from "../support/stack.ts";
import { Shop, expectNothingLostOrDoubled, quickRecovery } from "./recovery.ts";

test("after kill -9 of PostgreSQL under load, what was answered with 202 is there and nothing is charged twice", async () => {
  const data_dir = await mkdtemp(join(tmpdir(), "pacioli-crash-"));
  // Open to the account that PostgreSQL runs as under root, so that the cluster stays in this folder.
  await chmod(data_dir, 0o755);
  const first = await startEmbeddedPostgres({ data_dir });
  const stack = await startTestStack({ server_url: first.superuser_url, environment: quickRecovery });
  try {
    const shop = new Shop(stack);
    let isOver = false;
    const shopping = Promise.all(
      Array.from({ length: 6 }, async () => {
        while (!isOver) await shop.order();
      }),
    );
    for (let kill = 0; kill < 2; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const running = kill === 0 ? first : await startEmbeddedPostgres({ data_dir, port: first.port });
      process.kill(running.process_id, "SIGKILL");
      await startEmbeddedPostgres({ data_dir, port: first.port });
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    isOver = true;
    await shopping;
    expect(stack.service.is_running).toBe(true);
    expect(shop.statuses.get(202)).toBeGreaterThan(10);
    await expectNothingLostOrDoubled(stack, shop);
  } finally {
    await stack.stopAll();
    await (await startEmbeddedPostgres({ data_dir })).stop();
    await rm(data_dir, { recursive: true, force: true });
  }
}, 90_000);
