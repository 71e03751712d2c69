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
  const secure = (name: string, url: string | undefined): string | undefined =>
    url === undefined ? undefined : secureUrl(read, name, url, tls === "off");
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
  const port = read.number("DB_PORT", 5_432, { min: 1, max: 65_535 });
  const name = read.text("DB_NAME", "pacioli");
  return `postgres://${user}:${password}@${host}:${port}/${name}`;
}

function secureUrl(read: SettingsReader, name: string, text: string, isTlsOff: boolean): string {
  const url = parseUrl(text);
  if (url?.searchParams.has("options") === true) {
    read.faults.push(
      `${name}: its options= would take the place of what the service sets for its sessions, ` +
        "durable commits among it: leave it out, and set what you need on the login itself",
    );
  }
  // A path alone is a socket too.
  if (text.startsWith("/")) return text;
  if (url?.protocol === "socket:") {
    // The driver takes any other path for a host, which it calls without TLS.
    if (!url.pathname.startsWith("/"))
      read.faults.push(`${name}: socket: needs an absolute path, like socket:/var/run/postgresql?db=pacioli`);
    return text;
  }
  const host = url === undefined ? undefined : hostOf(url, read.variable(host_of_driver));
  if (namesSeveralHosts(text, [host ?? "", ...(url?.searchParams.getAll("host") ?? [])])) {
    read.faults.push(`${name}: names several hosts, and the driver connects to one: name that one`);
    return text;
  }
  if (isTlsOff || (host !== undefined && isOnThisMachine(host))) return text;
  return withTls(read, name, url, host) ?? text;
}

/** As libpq takes them: in the host part, each perhaps with its port, in `?host=`, or in PGHOST. */
function namesSeveralHosts(text: string, hosts_found: readonly string[]): boolean {
  const [, authority = ""] = /^[a-z]+:\/\/([^/?#]*)/i.exec(text) ?? [];
  const hosts = authority.slice(authority.lastIndexOf("@") + 1);
  return /,|%2c/i.test(hosts) || hosts_found.some((host) => host.includes(","));
}

/** The driver's own variable, no setting of ours. */
const host_of_driver = "PGHOST";

/** Stands for a host part that is empty, which URL does not allow after a user. */
const no_host = "___no_host___";

/** The host that the driver connects to: the last of `?host=`, the host part, PGHOST, or this machine. */
function hostOf(url: URL, pghost: string): string {
  const named = url.searchParams.getAll("host").at(-1) ?? "";
  const part = url.hostname === no_host ? "" : decodeURIComponent(url.hostname);
  return [named, part, pghost].find((host) => host !== "") ?? "localhost";
}

/** A Unix socket or a loopback address. */
const isOnThisMachine = (host: string): boolean => host.startsWith("/") || isLoopback(host);

/**
 * The driver treats `require` and `verify-ca` as `verify-full` today, and has announced that this will
 * change.
 */
const encrypted = new Set(["require", "verify-ca", "verify-full"]);

/** Undefined: there is a fault. */
function withTls(read: SettingsReader, name: string, url: URL | undefined, host = ""): string | undefined {
  const mode = url?.searchParams.get("sslmode") ?? "verify-full";
  if (url === undefined) {
    read.faults.push(`${name}: is not a URL like postgres://user:password@host:5432/pacioli`);
    return undefined;
  }
  if (!encrypted.has(mode) || url.searchParams.has("ssl")) {
    read.faults.push(
      `${name}: leaves passwords and payments unencrypted on the way to ${host}: ` +
        "use sslmode=verify-full, or set DATABASE_TLS=off if nobody can listen on that way",
    );
    return undefined;
  }
  // A host from PGHOST is written into the URL, so that the driver connects to the one that was checked.
  if (url.hostname === "" || url.hostname === no_host) url.hostname = host.includes(":") ? `[${host}]` : host;
  url.searchParams.delete("uselibpqcompat");
  url.searchParams.set("sslmode", "verify-full");
  return url.toString();
}

function parseUrl(text: string): URL | undefined {
  return URL.parse(text) ?? URL.parse(text.replace("@/", `@${no_host}/`)) ?? undefined;
}
