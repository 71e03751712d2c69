/**
 * The addresses of the database. Connections are encrypted unless it is on this machine or DATABASE_TLS=off.
 */
import { isLoopback } from "./loopback.ts";
import type { SettingsReader } from "./settings-reader.ts";

type DatabaseAddresses = {
  readonly database_url: string | undefined;
  readonly migration_database_url: string | undefined;
};

/**
 * DATABASE_URL (or its parts) and MIGRATION_DATABASE_URL, with TLS and a verified certificate over a network.
 */
export function readDatabaseAddresses(read: SettingsReader): DatabaseAddresses {
  const tls = read.text("DATABASE_TLS", "verify");
  if (tls !== "verify" && tls !== "off") read.faults.push(`DATABASE_TLS: "${tls}" is neither verify nor off`);
  const secure = (name: string, url: string | undefined): string | undefined => {
    if (url === undefined) return undefined;
    if (namesSeveralHosts(url)) {
      read.faults.push(`${name}: names several hosts, and the driver connects to one: name that one`);
      return url;
    }
    return tls === "off" || isOnThisMachine(url) ? url : withTls(read, name, url);
  };
  const url = read.text("DATABASE_URL");
  return {
    database_url:
      url === undefined ? secure("DB_HOST", databaseUrlOfParts(read)) : secure("DATABASE_URL", url),
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

/** As libpq takes them: in the host part, each perhaps with its port, or in `?host=`. */
function namesSeveralHosts(text: string): boolean {
  const [, authority = ""] = /^[a-z]+:\/\/([^/?#]*)/i.exec(text) ?? [];
  const hosts = authority.slice(authority.lastIndexOf("@") + 1);
  return (
    /,|%2c/i.test(hosts) ||
    (parseUrl(withHost(text))?.searchParams.getAll("host") ?? []).some((host) => host.includes(","))
  );
}

/** With a socket in `?host=` the host part may be empty, which URL does not allow after a user. */
const withHost = (text: string): string => text.replace("@/", "@localhost/");

/** A Unix socket (a path, or none that a URL can name) or a loopback address. */
function isOnThisMachine(text: string): boolean {
  if (/^(socket:|\/)/.test(text)) return true;
  const url = parseUrl(withHost(text));
  if (url === undefined) return false;
  // The driver takes the last of several, and passes over an empty one.
  const named = url.searchParams.getAll("host").at(-1) ?? "";
  const host = named === "" ? decodeURIComponent(url.hostname) : named;
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
    read.faults.push(
      `${name}: leaves passwords and payments unencrypted on the way to ${url.hostname}: use sslmode=verify-full, or set ` +
        "DATABASE_TLS=off if nobody can listen on that way",
    );
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
