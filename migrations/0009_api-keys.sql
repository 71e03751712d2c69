-- Up Migration

-- API keys: only the hash is kept; the last four characters help a person to tell them apart.
create table api_keys (
  key_id text primary key check (length(key_id) between 1 and 64),
  key_hash bytea not null unique check (length(key_hash) = 32),
  name text not null check (length(name) between 1 and 100),
  last_four text not null check (length(last_four) <= 4),
  scopes text[] not null check (scopes <@ array['read', 'write', 'admin'] and cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

-- API keys are made and revoked only by these functions, each with a row of the audit log. Only members of
-- the role `pacioli_admin` and the owner may run them: nobody can make a key with the service's login.

create function api_keys_require_admin(p_admin text) returns void
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  -- In the form of the audit log's actors, such as `cli:alice`.
  if p_admin is null or p_admin !~ '^cli:[^[:space:][:cntrl:]][^[:cntrl:]]{0,199}$' then
    raise exception 'p_admin must name the person who changes API keys, such as cli:alice'
      using errcode = 'invalid_parameter_value';
  end if;
end
$$;

create function api_keys_create(
  p_key_id text, p_key_hash bytea, p_name text, p_last_four text, p_scopes text[], p_admin text
) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  perform api_keys_require_admin(p_admin);
  insert into api_keys (key_id, key_hash, name, last_four, scopes)
  values (p_key_id, p_key_hash, p_name, p_last_four, p_scopes);
  insert into audit_log (actor, action, subject_type, subject_id, after)
  values (p_admin, 'api_key.create', 'api_key', p_key_id,
          jsonb_build_object('name', p_name, 'scopes', p_scopes, 'login', session_user));
end
$$;

-- Whether there was such a key in force.
create function api_keys_revoke(p_key_id text, p_admin text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_revoked_at timestamptz;
begin
  perform api_keys_require_admin(p_admin);
  update api_keys set revoked_at = now() where key_id = p_key_id and revoked_at is null
    returning revoked_at into v_revoked_at;
  if not found then
    return false;
  end if;
  insert into audit_log (actor, action, subject_type, subject_id, before, after)
  values (p_admin, 'api_key.revoke', 'api_key', p_key_id, jsonb_build_object('revoked_at', null),
          jsonb_build_object('revoked_at', v_revoked_at, 'login', session_user));
  return true;
end
$$;

revoke execute on all functions in schema public from public;
grant execute on function
  api_keys_create(text, bytea, text, text, text[], text), api_keys_revoke(text, text)
to pacioli_admin;
grant select on api_keys to pacioli_service;
-- For the list of keys, without their hashes.
grant select (key_id, name, last_four, scopes, created_at, revoked_at) on api_keys to pacioli_admin;
