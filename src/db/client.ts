import pg from "pg";
import { messageOf } from "../errors.ts";

/**
 * Runs `work` with a connection of its own, and closes it. The error names the address if nothing answers
 * there: "connect ECONNREFUSED" alone does not say which of three addresses is meant.
 */
export async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect().catch((error: unknown) => {
    if (error instanceof pg.DatabaseError) throw error;
    throw new Error(
      `PostgreSQL does not answer at ${client.host}:${client.port} (${messageOf(error)}). Start it, or correct its URL.`,
      { cause: error },
    );
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
