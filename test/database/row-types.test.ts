import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { API } from "typescript/unstable/sync";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { messageOf } from "../../src/errors.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { describeStatement } from "../support/describe-statement.ts";
import { disagreements } from "../support/row-claims.ts";
import { findStatements, type Statement, type Statements } from "../support/statements.ts";

const root = join(import.meta.dirname, "../..");

let db: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  db = await createTestDatabase();
  client = new pg.Client({ connectionString: db.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await db.drop();
});

function readStatements(folder: string, isWanted: (file: string) => boolean): Statements {
  const compiler = new API({ cwd: folder });
  try {
    const snapshot = compiler.updateSnapshot({ openProjects: [join(folder, "tsconfig.json")] });
    const [project] = snapshot.getProjects();
    if (project === undefined) throw new Error(`${folder} has no project`);
    return findStatements(project, folder, isWanted);
  } finally {
    compiler.close();
  }
}

/** What PostgreSQL says against a statement and its row type, with file and line. */
async function faultsOf(statement: Statement): Promise<string[]> {
  const faults = await describeStatement(client, statement.text).then(
    (columns) => (statement.claim === null ? [] : disagreements(statement.claim, statement, columns)),
    (error: unknown) => [`is refused: ${messageOf(error)}`],
  );
  return faults.map((fault) => `${statement.place} ${fault}`);
}

async function allFaults({ readable }: Pick<Statements, "readable">): Promise<string[]> {
  const faults: string[] = [];
  for (const statement of readable) faults.push(...(await faultsOf(statement)));
  return faults;
}

test("every statement gives the columns that its row type has, in the types that it says", async () => {
  const statements = readStatements(root, (file) => file.startsWith("src/") && !file.endsWith(".test.ts"));
  expect(statements.unreadable).toEqual([]);
  expect(statements.readable.filter(({ claim }) => claim !== null).length).toBeGreaterThan(90);
  expect(await allFaults(statements)).toEqual([]);
});

type Plant = { readonly file: string; readonly source: string; readonly faults: readonly string[] };

const planted: readonly Plant[] = [
  {
    file: "phantom-key.ts",
    source: "void db.query<{ kind: string; value: string }>('select kind from risk_block_list');",
    faults: ["phantom-key.ts:1 does not give value, which its row type has"],
  },
  {
    file: "missing-key.ts",
    source: "\nvoid db.query<{ kind: string }>('select kind, value from risk_block_list');",
    faults: ["missing-key.ts:2 gives value, which its row type does not have"],
  },
  {
    file: "row-type-of-the-result.ts",
    source: `const columns = 'kind, reason';
      export const select = (): Promise<{ kind: string }[]> =>
        db.query(\`select \${columns} from risk_block_list\`);`,
    faults: ["row-type-of-the-result.ts:3 gives reason, which its row type does not have"],
  },
  {
    file: "phantom-key-of-a-variant.ts",
    source: `type Row = { kind: "a"; value: string } | { kind: "b"; value: null; reason: string };
      void db.query<Row>('delete from risk_block_list returning kind, value');`,
    faults: ["phantom-key-of-a-variant.ts:2 does not give reason, which its row type has"],
  },
  {
    file: "other-types.ts",
    source: `type Row = { count: number; at: Date; statuses: string[]; json: string; scopes: string[] };
      void db.query<Row>(\`select count(*) as count, now() as at, array_agg(status) as statuses,
        to_json(1) as json, array['read'] as scopes from payment_orders\`);`,
    faults: [
      "other-types.ts:2 gives count as bigint, its row type says number",
      "other-types.ts:2 gives at as string, its row type says Date",
      "other-types.ts:2 gives statuses as string, its row type says list of string",
      "other-types.ts:2 gives json as json, its row type says string",
    ],
  },
  {
    file: "phantom-key-in-json.ts",
    source: `void db.query<{ rows: { kind: string; value: string }[] }>(
        "select json_agg(json_build_object('kind', kind)) as rows from risk_block_list");`,
    faults: ["phantom-key-in-json.ts:1 does not build rows.value, which its row type has"],
  },
  {
    file: "text-of-the-caller.ts",
    source: `function first(query: string) { return db.query<{ kind: string }>(\`\${query} limit 1\`); }
      void first("select kind from risk_block_list");
      void first("select value as kind, reason from risk_block_list");`,
    faults: [
      "text-of-the-caller.ts:1, for text-of-the-caller.ts:3 gives reason, which its row type does not have",
    ],
  },
  {
    file: "missing-table.ts",
    source: "void db.query('delete from risk_black_list');",
    faults: ['missing-table.ts:1 is refused: relation "risk_black_list" does not exist'],
  },
];

describe("in a folder with faults", () => {
  let statements: Statements;
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "pacioli-row-types-"));
    const unreadable = "export const run = (text: string) => db.query<{ kind: string }>(text);";
    const opening =
      "export {}; declare const db: { query<Row extends object>(text: string): Promise<Row[]> }; ";
    try {
      for (const { file, source } of [...planted, { file: "unreadable.ts", source: unreadable }])
        await writeFile(join(folder, file), opening + source);
      const compilerOptions = { strict: true, target: "es2024", module: "nodenext", types: [] };
      await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
      statements = readStatements(folder, (file) => !file.startsWith(".."));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.for(planted)("it finds that of $file", async ({ file, faults }) => {
    const readable = statements.readable.filter(({ place }) => place.startsWith(`${file}:`));
    expect(await allFaults({ readable })).toEqual(faults);
  });

  test("it names the statement that it cannot read", () => {
    expect(statements.unreadable).toEqual(["unreadable.ts:1"]);
  });
});
