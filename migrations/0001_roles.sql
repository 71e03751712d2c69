-- Up Migration

-- Two roles of this database, neither of which can log in. Logins are made by an administrator and put into
-- one: the service's into `pacioli_service`, those of people who make API keys into `pacioli_admin`. Roles
-- belong to the whole cluster, so in every migration these two names stand for the roles of the current
-- database: `src/db/migrate.ts` replaces them with the real names, which begin with the database's. They may
-- exist already: left by a dropped database of this name, or made by an administrator so that the owner needs
-- no right to make roles.
do $$
begin
  if to_regrole('pacioli_service') is null then
    create role pacioli_service nologin;
  end if;
  if to_regrole('pacioli_admin') is null then
    create role pacioli_admin nologin;
  end if;
end
$$;

-- Remembered here because a copy of the database may have another name, while its grants still name these
-- roles.
create function service_role() returns name
language sql immutable as $$ select 'pacioli_service'::name $$;
create function admin_role() returns name
language sql immutable as $$ select 'pacioli_admin'::name $$;

revoke create on schema public from public;
revoke execute on all functions in schema public from public;
grant usage on schema public to pacioli_service, pacioli_admin;
grant execute on function service_role(), admin_role() to pacioli_service, pacioli_admin;
