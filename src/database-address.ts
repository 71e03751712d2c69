/**
 * The addresses of the database. Connections are encrypted unless it is on this machine or DATABASE_TLS=off.
 */
import { isLoopback } from "./loopback.ts";
import type { SettingsReader } from "./settings-reader.ts";

type DatabaseAddresses = { readonly database_url: string | undefined; readonly migration_database_url: string | undefined };

/**
 * DATABASE_URL (or its parts) and MIGRATION_DATABASE_URL, with TLS and a verified certificate over a network.
 */
export function readDatabaseAddresses(read: SettingsReader): DatabaseAddresses {
  const tls = read.text("DATABASE_TLS", "verify");
  if (tls !== "verify" && tls !== "off") read.faults.push(`DATABASE_TLS: "${tls}" is neither verify nor off`);
  const secure = (name: string, url: string | undefined): string | undefined =>
    url === undefined || tls === "off" || isOnThisMachine(url) ? url : withTls(read, name, url);
  return {
    database_url: secure("DATABASE_URL", read.text("DATABASE_URL") ?? databaseUrlOfParts(read)),
    migration_database_url: secure("MIGRATION_DATABASE_URL", read.text("MIGRATION_DATABASE_URL")),
  };
}

/** The first version's five database settings, where no DATABASE_URL is given. */
function databaseUrlOfParts(read: SettingsReader): string | undefined {
  const host = read.text("DB_HOST");
  if (host === undefined) return undefined;
  const user = encodeURIComponent(read.text("DB_USER", "pacioli"));
  const password = encodeURIComponent(read.text("DB_PASSWORD", ""));
  return `postgres://${user}:${password}@${host}:${read.number("DB_PORT", 5_432, { min: 1, max: 65_535 })}/${read.text("DB_NAME", "pacioli")}`;
}

/** A Unix socket (a path, or none that a URL can name) or a loopback address. */
function isOnThisMachine(text: string): boolean {
  if (/^(socket:|\/)/.test(text)) return true;
  // With a socket in `?host=` the host part may be empty, which URL does not allow after a user.
  const url = parseUrl(text.replace("@/", "@localhost/"));
  if (url === undefined) return false;
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname);
  return host === "" || host.startsWith("/") || isLoopback(host);
}

/**
 * The driver treats `require` and `verify-ca` as `verify-full` today, and has announced that this will
 * change.
 */
const encrypted = new Set(["require", "verify-ca", "verify-full"]);

function withTls(read: SettingsReader, name: string, text: string): string {
  const url = parseUrl(text);
  const mode = url?.searchParams.get("sslmode") ?? "verify-full";
  if (url === undefined) {
    read.faults.push(`${name}: is not a URL like postgres://user:password@host:5432/pacioli`);
  } else if (!encrypted.has(mode) || url.searchParams.has("ssl")) {
    read.faults.push(`${name}: leaves passwords and payments unencrypted on the way to ${url.hostname}: use sslmode=verify-full, or set `
      + "DATABASE_TLS=off if nobody can listen on that way");
  } else {
    url.searchParams.delete("uselibpqcompat");
    url.searchParams.set("sslmode", "verify-full");
    return url.toString();
  }
  return text;
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
