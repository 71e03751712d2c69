import { chmod, chown, cp, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  kill,
  openEmbeddedServers,
  query,
  type EmbeddedServers,
  type Places,
} from "../../../test/support/embedded-servers.ts";
import { parsePasswd, runsAs } from "./account.ts";
import { findNativeDir } from "./binaries.ts";
import { EmbeddedPostgresError, type EmbeddedPostgres } from "./embedded-postgres.ts";
import { isProcessAlive } from "./processes.ts";

const isRoot = process.geteuid?.() === 0;

let embedded: EmbeddedServers;
beforeAll(async () => {
  embedded = await openEmbeddedServers();
});
afterAll(() => embedded.close());

describe.skipIf(!isRoot)("root in a folder that only root can enter", () => {
  const closed = (): string => join(embedded.base, "closed");
  const dataDir = (): string => join(closed(), "project", ".pacioli");
  const fallback = (): string => join(embedded.base, "public");
  const places = (): Places => ({
    native_dir: join(closed(), "package", "native"),
    fallback_roots: [fallback()],
  });
  let server: EmbeddedPostgres;

  beforeAll(async () => {
    await mkdir(join(closed(), "package"), { recursive: true });
    await chmod(closed(), 0o700);
    const native = findNativeDir();
    await cp(native, join(closed(), "package", "native"), { recursive: true, verbatimSymlinks: true });
    await cp(join(native, "..", "package.json"), join(closed(), "package", "package.json"));
  });

  test("the server runs from a place that its account can reach, without root's rights", async () => {
    server = await embedded.start(dataDir(), undefined, places());
    await query(server, "create table kept as select 1 as value");
    const folder = String(await query(server, "select current_setting('data_directory') as value"));
    expect(folder.startsWith(fallback())).toBe(true);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(folder)).uid).not.toBe(0);
    expect((await stat(`/proc/${server.process_id}`)).uid).toBe((await stat(folder)).uid);
  });

  test("the next start finds the same data again", async () => {
    await server.stop();
    server = await embedded.start(dataDir(), undefined, places());
    expect(await query(server, "select value from kept")).toBe(1);
  });

  test("a place that vanished is told instead of starting an empty database", async () => {
    const folder = String(await query(server, "select current_setting('data_directory') as value"));
    await server.stop();
    const away = join(embedded.base, "away");
    await rename(folder, away);
    const failure = embedded.start(dataDir(), undefined, places());
    await expect(failure).rejects.toBeInstanceOf(EmbeddedPostgresError);
    await expect(failure).rejects.toThrow(/not there any more[^]*location\.json/);
    await rename(away, folder);
    server = await embedded.start(dataDir(), undefined, places());
    expect(await query(server, "select value from kept")).toBe(1);
  });

  test("after the data folder was deleted a new database is made and the old one set aside", async () => {
    const folder = String(await query(server, "select current_setting('data_directory') as value"));
    await rm(dataDir(), { recursive: true });
    const fresh = await embedded.start(dataDir(), undefined, places());
    expect(await isProcessAlive(server.process_id)).toBe(false);
    expect(await query(fresh, "select to_regclass('kept') as value")).toBeNull();
    expect((await stat(`${folder}-abandoned`)).isDirectory()).toBe(true);
    await fresh.stop();
  });
});

test("an ordinary user starts it, and root takes over what he made", async (context) => {
  if (!isRoot) return context.skip("not root: every other test already runs as an ordinary user");
  const nobody = parsePasswd(await readFile("/etc/passwd", "utf8")).find(
    (account) => account.name === "nobody",
  );
  if (nobody === undefined) return context.skip("there is no account called nobody");
  const script = `await import(${JSON.stringify(new URL("account.ts", import.meta.url).href)})`;
  const canReach = await runsAs(nobody, process.execPath, ["--input-type=module", "-e", script]);
  if (!canReach) return context.skip("the account nobody cannot reach Node or this checkout");
  const home = join(embedded.base, "ordinary");
  await mkdir(home);
  await chown(home, nobody.uid, nobody.gid);
  await chmod(home, 0o700);
  const elsewhere = await embedded.startElsewhere(join(home, ".pacioli"), nobody);
  expect((await stat(`/proc/${elsewhere.process_id}`)).uid).toBe(nobody.uid);
  await query(elsewhere, "create table kept as select 5 as value");
  await kill(elsewhere.starter);
  await (await embedded.start(join(home, ".pacioli"))).stop();
  const asRoot = await embedded.start(join(home, ".pacioli"));
  expect(await query(asRoot, "select value from kept")).toBe(5);
  await asRoot.stop();
  const again = await embedded.startElsewhere(join(home, ".pacioli"), nobody);
  expect(await query(again, "select value from kept")).toBe(5);
});
