import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";

/**
 * The driver's options for this URL. The driver turns `sslmode=verify-full` into TLS options without
 * `rejectUnauthorized`, whose default NODE_TLS_REJECT_UNAUTHORIZED=0 turns off, so it is set here explicitly.
 */
export function connectionOf(url: string): {
  readonly connectionString: string;
  readonly ssl?: ConnectionOptions;
  readonly sslnegotiation?: "direct";
} {
  const parsed = URL.parse(url);
  if (parsed?.searchParams.get("sslmode") !== "verify-full") return { connectionString: url };
  const take = (name: string): string | undefined => {
    const file = parsed.searchParams.get(name);
    parsed.searchParams.delete(name);
    return file === null || file === "" ? undefined : readFileSync(file, "utf8");
  };
  // While one of these is in the URL, the driver makes its own options of it and ignores ours.
  const [ca, cert, key] = [take("sslrootcert"), take("sslcert"), take("sslkey")];
  const isDirect = parsed.searchParams.get("sslnegotiation") === "direct";
  for (const name of ["sslmode", "sslnegotiation"]) parsed.searchParams.delete(name);
  return {
    connectionString: parsed.toString(),
    ...(isDirect ? { sslnegotiation: "direct" } : {}),
    ssl: {
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  };
}
