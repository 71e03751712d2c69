import type pg from "pg";
import { withClient } from "./client.ts";
import { findRoles } from "./roles.ts";

type Rights = {
  readonly login: string;
  /**
   * Attributes and predefined roles that override grants, of the login itself or of roles that it may assume.
   */
  readonly powers: readonly string[];
  readonly is_owner: boolean;
  readonly can_make_temporary_tables: boolean;
  readonly can_make_objects: boolean;
  /** Set to `replica`, this parameter turns off the triggers that hold the books together. */
  readonly can_turn_triggers_off: boolean;
  readonly has_triggers_off: boolean;
};

/**
 * Throws if the service's login could bypass the database's rules, because a bug or a stolen password would
 * then reach the books. Throws too if it lacks the service's role.
 */
export async function checkLogin(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const rights = await readRights(client);
    const faults = faultsOf(rights);
    if (faults.length > 0) {
      const { service } = await findRoles(client).catch(() => ({ service: "<service_role()>" }));
      throw new Error(
        `The login "${rights.login}" may not run the service, because it ${faults.join(", ")}. ` +
          `Make a login of its own (create role <name> login password '…' in role ${service};) and name it in ` +
          "DATABASE_URL; the owner's login is for MIGRATION_DATABASE_URL only.",
      );
    }
    await checkMembership(client, rights.login);
  });
}

async function readRights(client: pg.Client): Promise<Rights> {
  const {
    rows: [rights],
  } = await client.query<Rights>(`
    select session_user::text as login,
           array(
             select distinct a.power
               from pg_roles r
               cross join lateral (values
                 ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb),
                 ('BYPASSRLS', r.rolbypassrls), ('REPLICATION', r.rolreplication),
                 (r.rolname::text, r.rolname in (
                   'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program',
                   'pg_maintain', 'pg_create_subscription'))
               ) as a (power, has)
              where a.has and pg_has_role(session_user, r.oid, 'member')
              order by 1
           ) as powers,
           exists (
             select from (
               select datdba as owner from pg_database where datname = current_database()
               union all select nspowner from pg_namespace where nspname in ('public', 'pgboss')
               union all select relowner from pg_class
                where relnamespace in (select oid from pg_namespace where nspname in ('public', 'pgboss'))
               union all select proowner from pg_proc
                where pronamespace in (select oid from pg_namespace where nspname in ('public', 'pgboss'))
             ) o where pg_has_role(session_user, o.owner, 'member')
           ) as is_owner,
           has_database_privilege(session_user, current_database(), 'temporary') as can_make_temporary_tables,
           has_database_privilege(session_user, current_database(), 'create')
             or has_schema_privilege(session_user, 'public', 'create') as can_make_objects,
           exists (
             select from pg_roles r
              where pg_has_role(session_user, r.oid, 'member')
                and has_parameter_privilege(r.oid, 'session_replication_role', 'set, alter system')
           ) as can_turn_triggers_off,
           current_setting('session_replication_role') <> 'origin' as has_triggers_off`);
  if (rights === undefined) throw new Error("a select without from gives one row");
  return rights;
}

function faultsOf(rights: Rights): string[] {
  // A superuser has all the other rights too; listing them would be noise.
  if (rights.powers.includes("SUPERUSER")) return ["is a superuser"];
  return [
    ...rights.powers.map((power) => `has ${power}`),
    ...(rights.is_owner ? ["owns the schema or may assume its owner's role"] : []),
    ...(rights.can_make_temporary_tables
      ? ["may make temporary tables (`pacioli migrate` takes that right away)"]
      : []),
    ...(rights.can_make_objects && !rights.is_owner ? ["may make objects in the database"] : []),
    ...(rights.can_turn_triggers_off ? ["may set session_replication_role, which turns triggers off"] : []),
    ...(rights.has_triggers_off
      ? ["starts its sessions with a session_replication_role other than origin"]
      : []),
  ];
}

async function checkMembership(client: pg.Client, login: string): Promise<void> {
  const {
    rows: [schema],
  } = await client.query<{ exists: boolean; is_readable: boolean }>(`
    select f.oid is not null as exists, coalesce(has_function_privilege(session_user, f.oid, 'execute'), false) as is_readable
      from (select to_regprocedure('public.service_role()') as oid) f`);
  if (schema?.exists !== true) throw new Error("The database has no schema yet: run `pacioli migrate`.");
  const isMember =
    schema.is_readable &&
    (
      await client.query<{ is_member: boolean }>(
        "select pg_has_role(session_user, public.service_role(), 'usage') as is_member",
      )
    ).rows[0]?.is_member === true;
  if (!isMember) {
    throw new Error(
      `The login "${login}" lacks the service's role. As the owner: ` +
        `select service_role(); and then: grant <that role> to "${login}";`,
    );
  }
  const {
    rows: [admin],
  } = await client.query<{ is_admin: boolean }>(
    "select pg_has_role(session_user, public.admin_role(), 'member') as is_admin",
  );
  if (admin?.is_admin === true) {
    throw new Error(
      `The login "${login}" may make API keys, which the service must not. As the owner: ` +
        `select admin_role(); and then: revoke <that role> from "${login}";`,
    );
  }
}
