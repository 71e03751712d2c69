import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openApiFile } from "../../scripts/openapi.ts";

const root = join(import.meta.dirname, "../..");

/** Payments have a history of their own; webhooks are what PSPs do. */
const notAudited = [
  "POST /payments",
  "POST /webhooks/payment-status",
  "POST /webhooks/{psp}",
  "POST /webhooks/{psp}/status",
];

let documented: { readonly actions: readonly string[]; readonly by: readonly string[] };
let sources: string;
beforeAll(async () => {
  const operations = await readFile(join(root, "docs/operations.md"), "utf8");
  const [, table = ""] = /\| action \| recorded by \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(operations) ?? [];
  const rows = table
    .trim()
    .split("\n")
    .map((row) => row.split("|").slice(1, 3));
  const named = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => String(name));
  documented = {
    actions: rows.flatMap(([actions = ""]) => named(actions)),
    by: rows.flatMap(([, by = ""]) => named(by)),
  };
  const files: string[] = [];
  for await (const file of glob(["src/**/*.ts", "migrations/*.sql"], { cwd: root }))
    if (!file.endsWith(".test.ts")) files.push(file);
  sources = (await Promise.all(files.map((file) => readFile(join(root, file), "utf8")))).join("\n");
});

test("every route that changes something is in the list of audited actions, or is one of the few that are not audited", async () => {
  const { paths } = JSON.parse(await readFile(openApiFile, "utf8")) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const changing = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== "get")
      .map((method) => `${method.toUpperCase()} ${path.replace("/api/v1", "")}`),
  );
  expect(changing.length).toBeGreaterThan(15);
  const listed = documented.by.filter((by) => by.startsWith("POST "));
  expect(changing.filter((route) => !notAudited.includes(route)).toSorted()).toEqual(listed.toSorted());
});

test("every action of the list is recorded somewhere, and every recorded action is in the list", () => {
  const isRecorded = (action: string): boolean =>
    sources.includes(`"${action}"`) ||
    sources.includes(`'${action}'`) ||
    (action.startsWith("checkout.") && sources.includes("`checkout.${decision}`"));
  expect(documented.actions.filter((action) => !isRecorded(action))).toEqual([]);
  const recorded = [...sources.matchAll(/\baction: "([a-z_]+\.[a-z_]+)"/g)].map(([, action]) =>
    String(action),
  );
  expect(recorded.length).toBeGreaterThan(5);
  expect(recorded.filter((action) => !documented.actions.includes(action))).toEqual([]);
});
