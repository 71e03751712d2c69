import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { until } from "../api/requests.ts";
import { freePort } from "../support/stack.ts";

let launcher: ChildProcess | undefined;
let data_dir = "";
afterEach(async () => {
  if (launcher?.exitCode === null && launcher.signalCode === null) {
    const exit = once(launcher, "exit");
    launcher.kill("SIGTERM");
    await exit;
  }
  await rm(data_dir, { recursive: true, force: true });
});

/** `npm start` with a database of its own. */
async function start(): Promise<{ url: string; output: () => string }> {
  data_dir = await mkdtemp(join(tmpdir(), "pacioli-watch-"));
  const port = await freePort();
  launcher = spawn(process.execPath, ["src/main.ts", "dev"], {
    env: {
      ...process.env,
      PORT: String(port),
      SIMULATOR_PORT: "0",
      PACIOLI_DATA_DIR: data_dir,
      LOG_LEVEL: "fatal",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [launcher.stdout, launcher.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  await until("the stack is up", async () => output.includes("Ctrl-C stops everything"), 90);
  return { url: `http://127.0.0.1:${port}`, output: () => output };
}

/** The launcher's own children whose command line names this program. */
function childrenRunning(program: string): number[] {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).trim().split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, ...args]) => parent === String(launcher?.pid) && args.join(" ").includes(program))
    .map(([id]) => Number(id));
}

const isUp = async (url: string): Promise<boolean> =>
  fetch(`${url}/livez`).then(
    (answer) => answer.ok,
    () => false,
  );

test("npm start says in one line that its service or simulator was killed, and starts it again", async () => {
  const { url, output } = await start();
  for (const [name, program] of [
    ["service", "src/main.ts run"],
    ["simulator", "simulator/src/main.ts"],
  ] as const) {
    for (const id of childrenRunning(program)) process.kill(id, "SIGKILL");
    await until(`the ${name} is named`, async () =>
      output().includes(`The ${name} has stopped (SIGKILL); restarting it.`),
    );
    await until(`the ${name} runs again`, async () => childrenRunning(program).length === 1);
  }
  await until("the service answers", () => isUp(url));
  expect(output().match(/has stopped/g)).toHaveLength(2);
}, 150_000);

test("npm start ends with one line and an exit code when its database is killed", async () => {
  const { output } = await start();
  // "exit" comes before the last of the output has been read, "close" after it.
  const closed = new Promise((resolve) => launcher?.once("close", (code) => resolve(code)));
  for (const id of childrenRunning("bin/postgres")) process.kill(id, "SIGKILL");
  expect(await closed).toBe(1);
  expect(
    output().split("The embedded PostgreSQL has stopped. Committed data is safe"),
    output(),
  ).toHaveLength(2);
}, 150_000);
