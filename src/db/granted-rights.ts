import type pg from "pg";
import { definer_functions, schemas, sequences, written_tables } from "./service-rights.ts";

/** One entry of an access list that counts for the login. */
type Grant = {
  readonly kind: "table" | "column" | "sequence" | "schema" | "function" | "database" | "other";
  /** As `revoke` takes it. */
  readonly object: string;
  readonly column: string | null;
  readonly right: string;
  readonly grantee: string;
  readonly is_grantable: boolean;
};

/** Named in full; the rest is counted. */
const shown_max = 5;

/**
 * What the login, everybody, or a role that the login may take on was granted beyond what the service's role
 * is meant to have, each with the statement that revokes it.
 */
export async function findExcessRights(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<Grant>(granted);
  const excess = [...new Set(rows.filter((grant) => !isMeant(grant)).map(describe))];
  const shown = excess.slice(0, shown_max);
  return excess.length > shown.length ? [...shown, `has ${excess.length - shown.length} more rights`] : shown;
}

function isMeant(grant: Grant): boolean {
  if (grant.is_grantable) return false;
  const right = grant.right.toLowerCase();
  switch (grant.kind) {
    case "table":
      return isMeantForTable(grant.object, right, "*");
    case "column":
      return isMeantForTable(grant.object, right, grant.column ?? "");
    case "sequence":
      return right !== "update" && sequences.some((pattern) => pattern.test(grant.object));
    case "schema":
      return right === "usage" && schemas.includes(grant.object);
    case "function":
      return definer_functions.includes(grant.object.replace(/\(.*/, ""));
    case "database":
      return right === "connect";
    case "other":
      return false;
  }
}

function isMeantForTable(table: string, right: string, column: string): boolean {
  // Tables of other schemas than `public` have theirs in their name.
  if (right === "select") return !table.includes(".") || table.startsWith("pgboss.");
  const { insert = "", update = "", delete: deletes } = written_tables[table] ?? {};
  if (right === "delete") return deletes === true;
  const columns = right === "insert" ? insert : right === "update" ? update : "";
  return columns === "*" || columns.split(" ").includes(column);
}

/** Words that the message had before it named objects; people look for them. */
function describe({ kind, object, column, right, grantee, is_grantable }: Grant): string {
  const verb = right.toLowerCase();
  const what = column === null ? verb : `${verb} (${column})`;
  const place = `${kind === "column" ? "table" : kind === "other" ? "" : kind} ${object}`.trim();
  const sentence =
    kind === "database" && verb === "temporary"
      ? "may make temporary tables"
      : verb === "create"
        ? "may make objects in the database"
        : is_grantable
          ? "may grant rights to others"
          : `may ${verb} ${object}`;
  return `${sentence} (revoke ${what} on ${place} from ${grantee})`;
}

/**
 * Every access list of this database in one query. `roles` are those whose rights the login has or can take
 * on, and 0 is everybody. Of PostgreSQL's own objects, which everybody may read and run, only what was
 * granted to these roles by name counts; what comes with an extension and is everybody's is left out too.
 */
const granted = `
  with roles as (
    select oid from pg_roles where pg_has_role(session_user, oid, 'member')
  ), spaces as (
    select oid, nspname, nspacl,
           case nspname when 'public' then '' else quote_ident(nspname) || '.' end as prefix,
           nspname in ('pg_catalog', 'information_schema')
             or nspname like 'pg\\_toast%' or nspname like 'pg\\_temp%' as is_system
      from pg_namespace
  ), extended as (
    select classid, objid from pg_depend where deptype = 'e'
  ), lists as (
    select case c.relkind when 'S' then 'sequence' else 'table' end as kind,
           s.prefix || quote_ident(c.relname) as object,
           null::text as "column", c.relacl as acl, s.is_system or e.objid is not null as is_given
      from pg_class c
      join spaces s on s.oid = c.relnamespace
      left join extended e on e.classid = 'pg_class'::regclass and e.objid = c.oid
     where c.relacl is not null
    union all
    select 'column', s.prefix || quote_ident(c.relname), a.attname::text, a.attacl,
           s.is_system or e.objid is not null
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      join spaces s on s.oid = c.relnamespace
      left join extended e on e.classid = 'pg_class'::regclass and e.objid = c.oid
     where a.attacl is not null
    union all
    select 'schema', quote_ident(s.nspname), null, s.nspacl, s.is_system
      from spaces s where s.nspacl is not null
    union all
    select 'function',
           s.prefix || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           null,
           coalesce(p.proacl, acldefault('f', p.proowner)),
           s.is_system or e.objid is not null
      from pg_proc p
      join spaces s on s.oid = p.pronamespace
      left join extended e on e.classid = 'pg_proc'::regclass and e.objid = p.oid
     where case when s.is_system then p.proacl is not null else p.prosecdef end
    union all
    select 'database', quote_ident(datname), null, coalesce(datacl, acldefault('d', datdba)), false
      from pg_database where datname = current_database()
    union all
    select 'other', 'foreign server ' || quote_ident(srvname), null, srvacl, false from pg_foreign_server
    union all
    select 'other', 'foreign data wrapper ' || quote_ident(fdwname), null, fdwacl, false
      from pg_foreign_data_wrapper
    union all
    select 'other', 'large object ' || oid, null, lomacl, false
      from pg_largeobject_metadata where lomacl is not null
    union all
    select 'other', 'parameter ' || parname, null, paracl, false from pg_parameter_acl
     where parname <> 'session_replication_role'
  )
  select l.kind, l.object, l."column", a.privilege_type as "right", a.is_grantable,
         case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee
    from lists l, aclexplode(l.acl) a
   where (a.grantee = 0 and not l.is_given) or a.grantee in (select oid from roles)
   order by 1, 2, 3, 4`;
