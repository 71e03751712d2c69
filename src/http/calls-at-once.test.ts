import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { type FastifyBaseLogger } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { createLogger } from "../log.ts";
import { limitCallsAtOnce } from "./calls-at-once.ts";
import type { App } from "./context.ts";

/** An app whose calls wait until they are let go; the header `key` says whose they are. */
function appWith(calls_at_once_max: number): { app: App; letGo: () => void; held: () => number } {
  const loggerInstance: FastifyBaseLogger = createLogger("silent");
  const app: App = Fastify({ loggerInstance }).withTypeProvider<TypeBoxTypeProvider>();
  onTestFinished(() => app.close());
  app.addHook("onRequest", async (request) => {
    request.caller = { key_id: String(request.headers["key"]), actor: "key:test", scopes: [] };
  });
  limitCallsAtOnce(app, calls_at_once_max);
  let waiting: (() => void)[] = [];
  app.get("/wait", () => new Promise((resolve) => waiting.push(() => resolve({ ok: true }))));
  app.get("/fail", async () => {
    throw new Error("asked for");
  });
  const letGo = (): void => {
    const some = waiting;
    waiting = [];
    for (const go of some) go();
  };
  return { app, letGo, held: () => waiting.length };
}
const get = async (app: App, path: string, key: string): Promise<number> =>
  (await app.inject({ url: path, headers: { key } })).statusCode;

test("a key that has as many calls under way as it may is refused, another key is served, and answers make room", async () => {
  const { app, letGo, held } = appWith(2);
  const calls = [get(app, "/wait", "one"), get(app, "/wait", "one")];
  await expect.poll(held).toBe(2);
  const refused = await app.inject({ url: "/wait", headers: { key: "one" } });
  expect(refused.statusCode).toBe(429);
  expect(refused.json()).toMatchObject({
    code: "concurrency_limited",
    message: expect.stringContaining("2 requests in progress") as string,
  });
  const other = get(app, "/wait", "two");
  await expect.poll(held).toBe(3);
  letGo();
  expect(await Promise.all([...calls, other])).toEqual([200, 200, 200]);
  const again = [get(app, "/wait", "one"), get(app, "/wait", "one")];
  await expect.poll(held).toBe(2);
  letGo();
  expect(await Promise.all(again)).toEqual([200, 200]);
});

test("calls that fail or are refused give their places back", async () => {
  const { app, letGo, held } = appWith(1);
  for (let call = 0; call < 5; call++) expect(await get(app, "/fail", "one")).toBe(500);
  const waiting = get(app, "/wait", "one");
  await expect.poll(held).toBe(1);
  for (let call = 0; call < 5; call++) expect(await get(app, "/fail", "one")).toBe(429);
  letGo();
  expect(await waiting).toBe(200);
  expect(await get(app, "/nothing", "one")).toBe(404);
  const last = get(app, "/wait", "one");
  await expect.poll(held).toBe(1);
  letGo();
  expect(await last).toBe(200);
});
