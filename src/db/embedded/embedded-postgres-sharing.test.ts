import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEmbeddedServers, query, type EmbeddedServers } from "../../../test/support/embedded-servers.ts";
import { isProcessAlive } from "./processes.ts";

let embedded: EmbeddedServers;
beforeAll(async () => {
  embedded = await openEmbeddedServers();
});
afterAll(() => embedded.close());

test("simultaneous starters of one fresh folder come up with one server and one owner", async () => {
  const dataDir = join(embedded.base, "race", ".pacioli");
  const servers = await Promise.all([
    embedded.start(dataDir),
    embedded.startElsewhere(dataDir),
    embedded.startElsewhere(dataDir),
    embedded.start(dataDir),
  ]);
  expect(new Set(servers.map((server) => server.superuser_url)).size).toBe(1);
  expect(servers.filter((server) => server.is_owner)).toHaveLength(1);
  expect(await query(servers[1], "select 7 as value")).toBe(7);
});

test("a lock held by a live process is waited for, and then named", async () => {
  const { acquireStartLock } = await import("./start-lock.ts");
  const path = join(embedded.base, "a.lock");
  const release = await acquireStartLock(path, 1);
  await expect(acquireStartLock(path, 0.2)).rejects.toThrow(`Process ${process.pid}`);
  await release();
  await (
    await acquireStartLock(path, 0.2)
  )();
});

test("leaves the server to whoever is still connected, and the last one stops it", async () => {
  const dataDir = join(embedded.base, "shared");
  const first = await embedded.start(dataDir);
  const guest = new Client({ connectionString: first.superuser_url });
  await guest.connect();
  await first.stop();
  expect(await isProcessAlive(first.process_id)).toBe(true);
  expect((await guest.query<{ one: number }>("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await guest.end();
  const second = await embedded.start(dataDir);
  expect(second.process_id).toBe(first.process_id);
  await second.stop();
  expect(await isProcessAlive(first.process_id)).toBe(false);
});
