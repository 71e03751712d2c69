import { withClient } from "./client.ts";

/**
 * To be called before anything is written: if the database was restored from a dump, its transactions count
 * on above all that are stored, and numbers of events jump, so that followers neither miss nor confuse any.
 */
export async function beginEpochIfRestored(url: string): Promise<void> {
  await withClient(url, (client) => client.query("select begin_xid_epoch_if_restored()"));
}
