-- Up Migration

-- Two roles of this database, neither of which can log in. Logins are made by an administrator and put into one:
-- the service's into `pacioli_service`, those of people who make API keys into `pacioli_admin`.
-- Roles belong to the whole cluster, so in every migration these two names stand for the roles of the database at
-- hand: `src/db/migrate.ts` writes their real names, which begin with the database's.
-- They may be there already: of a database of this name that was dropped, or made by an administrator so that the
-- owner needs no right to make roles.
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

-- Remembered here, for a copy of the database may have another name. Its grants still name these roles.
create function service_role() returns name
language sql immutable as $$ select 'pacioli_service'::name $$;
create function admin_role() returns name
language sql immutable as $$ select 'pacioli_admin'::name $$;

revoke create on schema public from public;
revoke execute on all functions in schema public from public;
grant usage on schema public to pacioli_service, pacioli_admin;
grant execute on function service_role(), admin_role() to pacioli_service, pacioli_admin;
