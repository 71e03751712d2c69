import type { Ledger } from "../src/ledger/ledger.ts";
import { closedLoop } from "./load.ts";
import type { Draw } from "./transfers.ts";

export const batch_items = 1_000;

/**
 * Transfers per second through a ledger's door. Three batches of callers, so that one is made up while another
 * is written.
 */
export async function postFor(seconds: number, ledger: Ledger, draw: Draw): Promise<number> {
  let posted = 0;
  const start = performance.now();
  await closedLoop(
    3 * batch_items,
    () => performance.now() - start > seconds * 1_000,
    async () => {
      const { outcome } = await ledger.post(draw());
      if (outcome !== "posted") throw new Error(`a transfer was ${outcome}`);
      posted += 1;
    },
  );
  return posted / ((performance.now() - start) / 1_000);
}
