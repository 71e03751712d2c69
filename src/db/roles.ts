import { createHash } from "node:crypto";
import type pg from "pg";

/** The roles of one database. Roles belong to the whole cluster, so their names contain the database's. */
export type DatabaseRoles = {
  /** What the service may do; its login is a member. */
  readonly service: string;
  /** May make and revoke API keys; for people, never for the service. */
  readonly admin: string;
};

/** Leaves room for the longest suffix in PostgreSQL's 63 bytes, and needs no quotes. */
const plainName = /^[a-z_][a-z0-9_]{0,49}$/;

/** The roles that a database gets from its first migration; never the same for two databases. */
export function rolesOfDatabase(database: string): DatabaseRoles {
  return rolesOfService(`${plainName.test(database) ? database : plainNameOf(database)}_service`);
}

/** The roles of a database whose service role is known. */
export function rolesOfService(service: string): DatabaseRoles {
  return { service, admin: service.replace(/_service$/, "_admin") };
}

/** The login that development gives the service. */
export function loginOfService(service: string): string {
  return service.replace(/_service$/, "_app");
}

/** Migrations write `pacioli_service` and `pacioli_admin` for the roles of the database they run in. */
export function withRoles(sql: string, roles: DatabaseRoles): string {
  return sql.replaceAll(/\bpacioli_service\b/g, roles.service).replaceAll(/\bpacioli_admin\b/g, roles.admin);
}

/** The roles that the database remembers from its first migration, or those that it will get. */
export async function findRoles(client: pg.Client): Promise<DatabaseRoles> {
  const {
    rows: [row],
  } = await client.query<{ database: string; is_known: boolean }>(
    "select current_database() as database, to_regprocedure('public.service_role()') is not null as is_known",
  );
  if (row?.is_known !== true) return rolesOfDatabase(row?.database ?? "");
  const {
    rows: [known],
  } = await client.query<{ role: string }>("select public.service_role()::text as role");
  return rolesOfService(known?.role ?? "");
}

function plainNameOf(database: string): string {
  const start = database
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, "_")
    .replace(/^(?=\d)/, "_")
    .slice(0, 32);
  return `${start}_${createHash("sha256").update(database).digest("hex").slice(0, 12)}`;
}
