import { closedLoop, Client } from "./load.ts";
import type { Database } from "../src/db/db.ts";
import { checkout } from "./checkout.ts";
import { percentile } from "./report.ts";

export type Throughput = {
  readonly accepted_per_second: number;
  /** Until the last one is final. */
  readonly finished_per_second: number;
  readonly refused: number;
  readonly answer_ms_p50: number;
  readonly answer_ms_p99: number;
};

export const connections = 256;

/** As many payments as 256 callers get accepted in the given time, each with the next as soon as it is answered. */
export async function measureThroughput(
  serviceUrl: string,
  database: Database,
  seconds: number,
): Promise<Throughput> {
  const client = new Client(serviceUrl, connections);
  const start = performance.now();
  const answers: number[] = [];
  let accepted = 0;
  let refused = 0;
  await closedLoop(
    connections,
    () => performance.now() - start > seconds * 1_000,
    async () => {
      const sent = performance.now();
      const status = await client.post("/api/v1/payments", checkout());
      answers.push(performance.now() - sent);
      if (status === 202) accepted += 1;
      else refused += 1;
    },
  );
  const accepted_seconds = (performance.now() - start) / 1_000;
  await drained(database);
  const finished_seconds = (performance.now() - start) / 1_000;
  client.close();
  answers.sort((a, b) => a - b);
  return {
    accepted_per_second: accepted / accepted_seconds,
    finished_per_second: accepted / finished_seconds,
    refused,
    answer_ms_p50: percentile(answers, 0.5),
    answer_ms_p99: percentile(answers, 0.99),
  };
}

async function drained(database: Database): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ open: boolean }>(
      "select exists (select 1 from payment_orders where status in ('NOT_STARTED', 'EXECUTING', 'UNKNOWN', 'PENDING', 'RETRY_SCHEDULED')) as open",
    );
    if (row?.open === false) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
