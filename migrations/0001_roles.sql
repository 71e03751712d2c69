-- Up Migration

-- The service's role. It may not log in by itself: the service logs in as a member of it and
-- takes it on with `set role`, so one URL is enough and the rights are the same everywhere.
-- Roles belong to the whole cluster, so another database may have made it a moment ago.
do $$
begin
  create role pacioli_service nologin;
exception
  when duplicate_object or unique_violation then null;
end
$$;

revoke create on schema public from public;
grant usage on schema public to pacioli_service;
