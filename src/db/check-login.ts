import type pg from "pg";
import { withClient } from "./client.ts";
import { findExcessRights } from "./granted-rights.ts";
import { findRoles } from "./roles.ts";

type Rights = {
  readonly login: string;
  /**
   * Attributes and predefined roles that override grants, of the login itself or of roles that it may assume.
   */
  readonly powers: readonly string[];
  /** Roles that it could give to others, or to itself with more options. */
  readonly grantable_roles: readonly string[];
  readonly is_owner: boolean;
  /** Some of the objects that belong to it, or to a role that it may take on. */
  readonly owned: readonly string[];
  /** Set to `replica`, this parameter turns off the triggers that hold the books together. */
  readonly can_turn_triggers_off: boolean;
  readonly has_triggers_off: boolean;
  /** What its sessions start with instead of durable commits; any login can set that on itself. */
  readonly commit_settings: readonly string[];
};

/**
 * Throws if the service's login could bypass the database's rules, because a bug or a stolen password would
 * then reach the books. Throws too if it lacks the service's role.
 */
export async function checkLogin(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const rights = await readRights(client);
    const refuse = async (faults: readonly string[]): Promise<void> => {
      if (faults.length === 0) return;
      const { service } = await findRoles(client).catch(() => ({ service: "<service_role()>" }));
      throw new Error(
        `The login "${rights.login}" may not run the service, because it ${faults.join(", ")}. ` +
          `Make a login of its own (create role <name> login password '…' in role ${service};) ` +
          "and name it in DATABASE_URL; the owner's login is for MIGRATION_DATABASE_URL only.",
      );
    };
    await refuse(faultsOf(rights));
    await checkMembership(client, rights.login);
    await refuse(await findExcessRights(client));
  });
}

async function readRights(client: pg.Client): Promise<Rights> {
  const {
    rows: [rights],
  } = await client.query<Rights>(`
    with roles as (
      select * from pg_roles where pg_has_role(session_user, oid, 'member')
    ), current as (
      select oid, datdba from pg_database where datname = current_database()
    )
    select session_user::text as login,
           array(
             select distinct a.power
               from roles r
               cross join lateral (values
                 ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb),
                 ('BYPASSRLS', r.rolbypassrls), ('REPLICATION', r.rolreplication),
                 -- The owner of the database has this one; it is told below.
                 (r.rolname::text, r.rolname like 'pg\\_%' and r.rolname <> 'pg_database_owner')
               ) as a (power, has)
              where a.has
              order by 1
           ) as powers,
           array(
             select distinct roleid::regrole::text from pg_auth_members
              where admin_option and member in (select oid from roles)
           ) as grantable_roles,
           exists (
             select from (
               select datdba as owner from current
               union all select nspowner from pg_namespace where nspname in ('public', 'pgboss')
               union all select relowner from pg_class
                where relnamespace in (select oid from pg_namespace where nspname in ('public', 'pgboss'))
               union all select proowner from pg_proc
                where pronamespace in (select oid from pg_namespace where nspname in ('public', 'pgboss'))
             ) o where o.owner in (select oid from roles)
           ) as is_owner,
           array(
             select pg_describe_object(classid, objid, objsubid) from pg_shdepend
              where deptype = 'o' and refclassid = 'pg_authid'::regclass
                and refobjid in (select oid from roles)
                and dbid = (select oid from current)
              order by 1 limit 5
           ) as owned,
           exists (
             select from roles r
              where has_parameter_privilege(r.oid, 'session_replication_role', 'set, alter system')
           ) as can_turn_triggers_off,
           current_setting('session_replication_role') <> 'origin' as has_triggers_off,
           array(
             select setting from pg_db_role_setting s, unnest(s.setconfig) as setting
              where s.setrole = session_user::regrole and s.setdatabase in (0, (select oid from current))
                and setting like 'synchronous\\_commit=%'
                and setting not in ('synchronous_commit=on', 'synchronous_commit=remote_apply')
           ) as commit_settings`);
  if (rights === undefined) throw new Error("a select without from gives one row");
  return rights;
}

function faultsOf(rights: Rights): string[] {
  // A superuser has all the other rights too; listing them would be noise.
  if (rights.powers.includes("SUPERUSER")) return ["is a superuser"];
  const { login, owned } = rights;
  return [
    ...rights.powers.map((power) => `has ${power}`),
    ...rights.grantable_roles.map(
      (role) => `may grant the role ${role} (revoke admin option for ${role} from "${login}")`,
    ),
    ...(rights.is_owner ? ["owns the schema or may assume its owner's role"] : []),
    ...(rights.is_owner || owned.length === 0
      ? []
      : [`owns ${owned.join(", ")} (reassign owned by "${login}" to <the owner>, or drop them)`]),
    ...(rights.can_turn_triggers_off ? ["may set session_replication_role, which turns triggers off"] : []),
    ...(rights.has_triggers_off
      ? ["starts its sessions with a session_replication_role other than origin"]
      : []),
    ...rights.commit_settings.map(
      (setting) =>
        `starts its sessions with ${setting}, so that a crash loses payments ` +
        `(alter role "${login}" reset synchronous_commit)`,
    ),
  ];
}

async function checkMembership(client: pg.Client, login: string): Promise<void> {
  const {
    rows: [schema],
  } = await client.query<{ exists: boolean; is_readable: boolean }>(`
    select f.oid is not null as exists,
           coalesce(has_function_privilege(session_user, f.oid, 'execute'), false) as is_readable
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
