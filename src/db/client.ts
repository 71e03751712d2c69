import pg from "pg";
import { messageOf } from "../errors.ts";
import { connectionOf } from "./connection.ts";
import { sqlStateOf } from "./database.ts";

/**
 * Runs `work` with a connection of its own, and closes it. The error names the address if nothing answers
 * there: "connect ECONNREFUSED" alone does not say which of three addresses is meant.
 */
export async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ ...connectionOf(url), connectionTimeoutMillis: 10_000 });
  await client.connect().catch((error: unknown) => {
    if (error instanceof pg.DatabaseError) throw error;
    throw new Error(`PostgreSQL ${failureOf(error, `${client.host}:${client.port}`)}`, { cause: error });
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** As OpenSSL and Node name what is wrong with a certificate or a handshake. */
const tlsCodes = new RegExp(
  "^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|" +
    "INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)",
);

function failureOf(error: unknown, address: string): string {
  const code = sqlStateOf(error) ?? "";
  const message = messageOf(error);
  if (tlsCodes.test(code) || message.includes("does not support SSL")) {
    return (
      `at ${address} refused TLS (${message}). Name its CA in NODE_EXTRA_CA_CERTS or sslrootcert=, or set ` +
      "DATABASE_TLS=off on a network where nobody can eavesdrop."
    );
  }
  return `does not answer at ${address} (${message}). Start it, or correct its URL.`;
}
