import { createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ChildProcess } from "../../src/cli/child-process.ts";
import { checkLogin } from "../../src/db/db.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { freePort } from "../support/stack.ts";

let db: TestDatabase;
let server: Server;
let busy: string;
beforeAll(async () => {
  db = await createTestDatabase();
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  busy = String((server.address() as AddressInfo).port);
});
afterAll(async () => {
  server.close();
  await db.drop();
});

async function startChild(
  script: string,
  ready_event: string,
  environment: Record<string, string>,
): Promise<string> {
  const child = new ChildProcess({
    name: "process",
    script: join(import.meta.dirname, "../..", script),
    arguments: ["run"],
    ready_event,
    environment,
  });
  onTestFinished(() => child.stop());
  return child.start();
}

test.for(["PORT", "OPERATIONS_PORT"])(
  "a service whose %s is in use ends and names that setting",
  async (setting) => {
    const environment = {
      DATABASE_URL: db.service_url,
      MIGRATION_DATABASE_URL: "",
      PORT: "0",
      OPERATIONS_PORT: "0",
      LOG_LEVEL: "fatal",
      PSP_STRIPE_SECRET_KEY: "sk_test_none",
      [setting]: busy,
    };
    await expect(startChild("src/main.ts", "service_ready", environment)).rejects.toThrow(
      `127.0.0.1:${busy}. Stop what listens there, or set ${setting} to a free port.`,
    );
  },
);

test("a simulator whose port is in use ends and names SIMULATOR_PORT", async () => {
  const environment = {
    SIMULATOR_DATABASE_URL: `${db.url}_simulator`,
    SIMULATOR_PORT: busy,
    SIMULATOR_SECRET_KEY: "sk_test_none",
  };
  await expect(startChild("simulator/src/main.ts", "simulator_ready", environment)).rejects.toThrow(
    `127.0.0.1:${busy}. Stop what listens there, or set SIMULATOR_PORT to a free port.`,
  );
});

test("a database that does not answer is named by its address, without its password", async () => {
  const port = await freePort();
  const failure = await checkLogin(`postgresql://shop:hush@127.0.0.1:${port}/pacioli`).then(
    () => "connected",
    String,
  );
  expect(failure).toContain(`PostgreSQL does not answer at 127.0.0.1:${port}`);
  expect(failure).not.toContain("hush");
});
