import { join } from "node:path";
import { ChildProcess } from "../../src/cli/child-process.ts";
import { createTestDatabase } from "./database.ts";

export const simulatorKey = "sk_test_simulator";

export type TestSimulator = {
  readonly url: URL;
  /** How many charges it really made that carry this metadata. */
  chargeCount(field: string, value: string): Promise<number>;
  /** Sets faults for whatever comes next. */
  setFaults(faults: unknown): Promise<void>;
  stop(): Promise<void>;
};

/** The PSP simulator alone, as the process it is, on a database of its own. */
export async function startTestSimulator(): Promise<TestSimulator> {
  const db = await createTestDatabase();
  const child = new ChildProcess({
    name: "simulator",
    script: join(import.meta.dirname, "../../simulator/src/main.ts"),
    arguments: [],
    ready_event: "simulator_ready",
    environment: {
      SIMULATOR_DATABASE_URL: `${db.url}_simulator`,
      SIMULATOR_PORT: "0",
      SIMULATOR_SECRET_KEY: simulatorKey,
    },
  });
  const url = new URL(await child.start());
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const options =
      body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(new URL(`/_simulator/${path}`, url), options);
    if (!response.ok) throw new Error(`simulator ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    url,
    chargeCount: async (field, value) =>
      ((await ask(`effects?${field}=${encodeURIComponent(value)}`)) as { count: number }).count,
    setFaults: async (faults) => {
      await ask("faults", faults);
    },
    async stop() {
      await child.stop();
      await db.drop();
    },
  };
}
