import { layers, paymentLayers } from "../../scripts/rooms.ts";

/** A breach planted in a copy of the tree: the file, what stands in it, and what must be said about it. */
type Plant = { readonly file: string; readonly text: string; readonly said: RegExp };

const imports = /^eslint\(no-restricted-imports\).*House rule "imports"/;
const time = /^eslint\(no-restricted-properties\).*House rule "time"/;
const environment = /^eslint\(no-restricted-properties\).*House rule "environment"/;

/** An import that may not be, in a file of its own. */
function wrongImport(file: string, path: string): Plant {
  return { file, text: `import { planted } from "${path}";\nexport const used = planted;\n`, said: imports };
}

export const linterPlants: readonly Plant[] = [
  // Past a door.
  wrongImport("src/ledger/planted-deep.ts", "../db/database.ts"),
  wrongImport("src/http/routes/planted-deep.ts", "../../ledger/queries.ts"),
  wrongImport("src/payments/planted-adapter.ts", "../psp/stripe/stripe.ts"),
  wrongImport("src/payments/planted-port.ts", "../psp/port.ts"),
  wrongImport("src/cli/planted-adapter.ts", "../psp/stripe/stripe.ts"),
  wrongImport("src/config/planted-adapter.ts", "../psp/stripe/settings.ts"),
  wrongImport("src/payments/planted-registry.ts", "../psp/adapters.ts"),
  wrongImport("src/config/planted-database.ts", "../db/db.ts"),
  wrongImport("src/http/planted-embedded.ts", "../db/embedded/embedded-postgres.ts"),
  {
    file: "src/ledger/planted-type.ts",
    text: 'import type { Database } from "../db/database.ts";\nexport type Planted = Database;\n',
    said: imports,
  },
  {
    file: "src/ledger/planted-export.ts",
    text: 'export { postBatch } from "../db/queries.ts";\n',
    said: imports,
  },
  {
    file: "src/ledger/planted-lazy.ts",
    text: 'export const planted = await import("../http/http.ts");\n',
    said: imports,
  },
  // Against the direction.
  ...layers
    .slice(1)
    .map((rooms, level) =>
      wrongImport(
        `src/${String(rooms[0])}/planted-upwards.ts`,
        `../${String(layers[level]?.[0])}/${String(layers[level]?.[0])}.ts`,
      ),
    ),
  ...paymentLayers
    .slice(1)
    .map((folders, level) =>
      wrongImport(
        `src/payments/${String(folders[0])}/planted-upwards.ts`,
        `../${String(paymentLayers[level]?.[0])}/planted.ts`,
      ),
    ),
  wrongImport("src/payments/charges/planted-sideways.ts", "../operations/operation-runner.ts"),
  wrongImport("src/payments/decide/planted-door.ts", "../payments.ts"),
  wrongImport("src/wallets/planted-sideways.ts", "../risk/risk.ts"),
  wrongImport("src/payments/planted-config.ts", "../config/config.ts"),
  wrongImport("src/money/planted-root.ts", "../errors.ts"),
  wrongImport("src/psp/stripe/planted-database.ts", "../../db/db.ts"),
  wrongImport("src/planted-root.ts", "./ledger/ledger.ts"),
  wrongImport("src/attic/attic.ts", "../db/db.ts"),
  wrongImport("src/cli/planted-simulator.ts", "../../simulator/src/server.ts"),
  wrongImport("src/money/planted.test.ts", "../../simulator/src/ids.ts"),
  wrongImport("simulator/src/planted-service.ts", "../../src/money/money.ts"),
  wrongImport("simulator/src/planted.test.ts", "../../src/money/money.ts"),
  // Between the service and the programs beside it.
  wrongImport("src/cli/planted-program.ts", "../../chaos/random.ts"),
  wrongImport("src/http/routes/planted-console.ts", "../../../console/console-report.ts"),
  wrongImport("src/money/planted-program.test.ts", "../../demo/sums.ts"),
  wrongImport("simulator/src/planted-program.ts", "../../chaos/cards.ts"),
  wrongImport("chaos/planted-deep.ts", "../src/payments/store/queries.ts"),
  wrongImport("chaos/planted-command.ts", "../src/cli/compose.ts"),
  wrongImport("chaos/planted-program.ts", "../demo/client.ts"),
  wrongImport("chaos/planted-simulator.ts", "../simulator/src/faults.ts"),
  wrongImport("chaos/planted.test.ts", "../simulator/src/faults.ts"),
  wrongImport("demo/planted-adapter.ts", "../src/psp/stripe/stripe.ts"),
  wrongImport("demo/planted-package.ts", "commander"),
  wrongImport("demo/planted-support.ts", "../test/support/stack.ts"),
  wrongImport("console/planted-service.ts", "../src/errors.ts"),
  // Packages in the wrong room.
  ...Object.entries({
    "src/ledger/planted-pg.ts": "pg",
    "src/ledger/planted-queries.ts": "pg",
    "src/payments/planted-boss.ts": "pg-boss",
    "src/payments/planted-fastify.ts": "fastify",
    "src/cli/planted-swagger.ts": "@fastify/swagger",
    "src/psp/planted-sdk.ts": "stripe",
    "src/psp/adyen/planted-sdk.ts": "stripe",
    "src/http/planted-signature.ts": "standardwebhooks",
    "src/payments/planted-breaker.ts": "cockatiel",
    "src/cli/planted-embedded.ts": "embedded-postgres",
    "src/risk/planted-unknown.ts": "some-package",
    "src/money/planted-files.ts": "node:fs",
    "src/ledger/planted-process.ts": "node:process",
    "src/ledger/planted-perf.ts": "node:perf_hooks",
    "simulator/src/planted-fastify.ts": "fastify",
  }).map(([file, path]) => wrongImport(file, path)),
  // What only one file may read.
  {
    file: "src/ledger/planted-env.ts",
    text: 'export const planted = process.env["X"];\n',
    said: environment,
  },
  { file: "src/ledger/planted-env-parts.ts", text: "export const { env } = process;\n", said: environment },
  {
    file: "simulator/src/planted-env.ts",
    text: 'export const planted = process.env["X"];\n',
    said: environment,
  },
  { file: "chaos/planted-env.ts", text: 'export const planted = process.env["X"];\n', said: environment },
  { file: "demo/planted-now.ts", text: "export const planted = Date.now();\n", said: time },
  { file: "src/ledger/planted-now.ts", text: "export const planted = Date.now();\n", said: time },
  { file: "src/config/planted.ts", text: "export const planted = Date.now;\n", said: time },
  {
    file: "src/ledger/planted-performance.ts",
    text: "export const planted = performance.now();\n",
    said: time,
  },
  { file: "src/ledger/planted-hrtime.ts", text: "export const planted = process.hrtime();\n", said: time },
  {
    file: "src/ledger/planted-global.ts",
    text: "export const planted = globalThis.process;\n",
    said: /no-restricted-globals\).*House rules "time" and "environment"/,
  },
  {
    file: "src/ledger/planted-float.ts",
    text: 'export const planted = parseFloat("1");\n',
    said: /no-restricted-globals\).*House rule "money"/,
  },
  // Code that hides something.
  { file: "src/ledger/planted-console.ts", text: 'console.log("x");\n', said: /^eslint\(no-console\)/ },
  {
    file: "src/ledger/planted-any.ts",
    text: "export function planted(value: any): string {\n  return String(value);\n}\n",
    said: /^typescript\(no-explicit-any\)/,
  },
  {
    file: "src/ledger/planted-cast.ts",
    text: "export const planted = (value: unknown): string => value as string;\n",
    said: /^typescript\(no-unsafe-type-assertion\)/,
  },
  {
    file: "src/ledger/planted-ignore.ts",
    text: '// @ts-ignore\nexport const planted: number = "x";\n',
    said: /^typescript\(ban-ts-comment\)/,
  },
  {
    file: "src/ledger/planted-promise.ts",
    text: "export function planted(): void {\n  Promise.resolve(1);\n}\n",
    said: /^typescript\(no-floating-promises\)/,
  },
  {
    file: "src/ledger/planted-switch.ts",
    said: /^typescript\(switch-exhaustiveness-check\)/,
    text: 'export function planted(kind: "a" | "b"): void {\n  switch (kind) {\n    case "a":\n      break;\n  }\n}\n',
  },
  {
    file: "src/ledger/planted-cycle-a.ts",
    text: 'import { b } from "./planted-cycle-b.ts";\nexport const a = (): string => b();\n',
    said: /^import\(no-cycle\)/,
  },
  {
    file: "src/ledger/planted-cycle-b.ts",
    text: 'import { a } from "./planted-cycle-a.ts";\nexport const b = (): string => a();\n',
    said: /^import\(no-cycle\)/,
  },
  {
    file: "src/ledger/planted-long.ts",
    text: `export {};\n${"void 0;\n".repeat(360)}`,
    said: /^eslint\(max-lines\)/,
  },
  { file: "src/ledger/plantedName.ts", text: "export {};\n", said: /^unicorn\(filename-case\)/ },
  {
    file: "src/ledger/planted-only.test.ts",
    text: 'import { test, expect } from "vitest";\ntest.only("x", () => expect(1).toBe(1));\n',
    said: /^vitest\(no-focused-tests\)/,
  },
];

export const checkerPlants: readonly {
  readonly rule: string;
  readonly file: string;
  readonly text: string;
}[] = [
  { rule: "time", file: "src/ledger/planted-date.ts", text: "export const planted = new Date();\n" },
  ...[
    ["src/payments/store/planted-end-queries.ts", "`select 1 from x where expires_at <= now()`"],
    [
      "src/payments/store/planted-mixed-queries.ts",
      "`update x set updated_at = now(), expires_at = now() + $1`",
    ],
    ["src/payments/store/planted-age-queries.ts", "`select 1 from x where created_at < now() - $1`"],
    ["src/risk/planted-queries.ts", '"select current_date"'],
    ["src/db/planted-time.ts", '"select Transaction_Timestamp()"'],
  ].map(([file = "", sql]) => ({ rule: "business-time", file, text: `export const planted = ${sql};\n` })),
  {
    rule: "business-time",
    file: "migrations/9999_planted-time.sql",
    text: "alter table x add column expires_at timestamptz default clock_timestamp();\n",
  },
  {
    rule: "business-time",
    file: "src/payments/charges/planted-clock.ts",
    text: 'import { monotonicMilliseconds, now } from "../../clock.ts";\nexport { monotonicMilliseconds, now };\n',
  },
  { rule: "sql", file: "src/payments/planted-sql.ts", text: 'export const planted = "select 1";\n' },
  {
    rule: "sql",
    file: "src/payments/planted-template.ts",
    text: "export const planted = `\n  x`;\nexport const other = `  update orders set state = 1`;\n",
  },
  { rule: "sql", file: "chaos/planted-sql.ts", text: 'export const planted = "select 1";\n' },
  { rule: "sql", file: "src/jobs/planted-sql.ts", text: 'export const planted = "delete from jobs";\n' },
  {
    rule: "money",
    file: "src/payments/planted-number.ts",
    text: "export const planted = (order: { amount_minor: bigint }): number => Number(order.amount_minor);\n",
  },
  {
    rule: "money",
    file: "src/payments/planted-fixed.ts",
    text: "export const planted = (balance: number): string => balance.toFixed(2);\n",
  },
  {
    rule: "psp-names",
    file: "src/config/planted-kind.ts",
    text: 'export const planted = (kind: string): boolean => kind === "adyen";\n',
  },
  { rule: "psp-names", file: "src/cli/planted-name.ts", text: "export const stripeKey = 1;\n" },
  { rule: "psp-names", file: "src/psp/planted-name.ts", text: "export const AdyenSettings = 1;\n" },
  {
    rule: "disabled-rule",
    file: "src/ledger/planted-disable.ts",
    text: "// oxlint-disable-next-line typescript/no-unsafe-type-assertion\nexport {};\n",
  },
  {
    rule: "disabled-rule",
    file: "src/ledger/planted-disable-house.ts",
    text: "// oxlint-disable-next-line no-restricted-imports -- in a hurry\nexport {};\n",
  },
  { rule: "file-name", file: "src/ledger/utils.ts", text: "export {};\n" },
  { rule: "unfinished", file: "src/ledger/planted-todo.ts", text: "// TODO: the rest\nexport {};\n" },
  { rule: "unfinished", file: "migrations/9999_planted.sql", text: "-- FIXME\n" },
  {
    rule: "comment-width",
    file: "src/ledger/planted-comment.ts",
    text: `// ${"w".repeat(108)}\nexport {};\n`,
  },
  {
    rule: "comment-width",
    file: "simulator/src/planted-comment.ts",
    text: `/**\n * ${"w".repeat(108)}\n */\nexport {};\n`,
  },
  {
    rule: "sql-width",
    file: "src/ledger/planted-width-queries.ts",
    text: `export const planted = \`\n  select ${"w".repeat(102)}\`;\n`,
  },
  { rule: "sql-width", file: "migrations/9999_planted-width.sql", text: `-- ${"w".repeat(108)}\n` },
  { rule: "machine-path", file: "docs/planted.md", text: "Look into /home/somebody/pacioli.\n" },
  { rule: "registry-host", file: "docs/planted-registry.md", text: "https://registry.npmjs.org\n" },
  { rule: "registry-host", file: "planted.npmrc", text: "registry=https://example.com\n" },
  { rule: "rooms", file: "src/attic/attic.ts", text: "" },
  { rule: "rooms", file: "cellar/planted.ts", text: "export {};\n" },
  { rule: "rooms", file: "src/events/planted-without-door.ts", text: "export {};\n" },
];

/** Files that do what only they may do, and are to be left in peace. */
export const exceptions: readonly string[] = [
  "src/clock.ts",
  "src/config/config.ts",
  "src/log.ts",
  "src/main.ts",
  "src/metrics.ts",
  "src/cli/compose.ts",
  "src/cli/stack.ts",
  "chaos/main.ts",
  "chaos/chaos-stack.ts",
  "demo/main.ts",
  "demo/stage.ts",
  "src/db/database.ts",
  "src/db/embedded/server.ts",
  "src/http/app.ts",
  "src/http/routes/payments.ts",
  "src/jobs/install.ts",
  "src/jobs/jobs.ts",
  "src/psp/adapters.ts",
  "src/psp/breaker.ts",
  "src/psp/stripe/stripe.ts",
  "src/psp/external/signature.ts",
  "simulator/src/main.ts",
  "simulator/src/store.ts",
];
