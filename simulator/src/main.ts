import { readConfig } from "./config.ts";
import { startSimulator } from "./server.ts";

async function main(): Promise<void> {
  const simulator = await startSimulator(readConfig(process.env));
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    simulator.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Started as a child with a channel: when the parent dies without a word, so does the simulator.
  process.once("disconnect", stop);
  process.stdout.write(`${JSON.stringify({ event: "simulator_ready", url: simulator.url })}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
