-- Who changed which row of a user's tables, and how. Bulk market loads are not in it: ingest_runs has one row for each.

create table audit_logs (
  id uuid primary key,
  table_name varchar(100) not null,
  operation varchar(10) not null,
  user_id uuid,
  record_id uuid,
  old_data jsonb,
  new_data jsonb,
  timestamp timestamp not null default now(),
  constraint audit_logs_operation_known check (operation in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'))
);
create index idx_audit_logs_user_time on audit_logs (user_id, timestamp);
create index idx_audit_logs_record on audit_logs (table_name, record_id);
comment on table audit_logs is
  'Every write to a table of users, as it was and as it became; only ever added to. Not partitioned: its key is id alone, as the document has it, which cannot be the key of a table partitioned by time; and a write to a user''s table must never fail because a month''s partition is missing.';
comment on column audit_logs.user_id is 'For whom the session said it acted (app.user_id); NULL when for no user (upkeep, an administrator).';
comment on column audit_logs.record_id is 'The id of the row written; NULL for TRUNCATE, which writes all of them.';
comment on column audit_logs.old_data is 'The row before; what is encrypted or hashed in it is shown as [redacted].';
comment on column audit_logs.new_data is 'The row after; where what is redacted has changed, it says [redacted, changed].';
comment on column audit_logs.timestamp is 'When the row was written, not when its transaction began: writes of one transaction keep their order.';

-- Runs with the rights of its owner: who may write a user's row may still not write into the log.
-- Its arguments are the columns that nobody may read in the log.
-- The schema public is not searched: nothing that was put there can stand in for a function named here.
create function audit_row_write() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  before jsonb := case when tg_op in ('UPDATE', 'DELETE') then to_jsonb(old) end;
  after jsonb := case when tg_op in ('INSERT', 'UPDATE') then to_jsonb(new) end;
  secret text;
begin
  -- Without arguments it is NULL, not empty.
  foreach secret in array coalesce(tg_argv, '{}') loop
    if before ->> secret is distinct from after ->> secret and after ->> secret is not null and before is not null then
      after := jsonb_set(after, array[secret], '"[redacted, changed]"');
    elsif after ->> secret is not null then
      after := jsonb_set(after, array[secret], '"[redacted]"');
    end if;
    if before ->> secret is not null then
      before := jsonb_set(before, array[secret], '"[redacted]"');
    end if;
  end loop;
  -- The zone of the session does not shift the time.
  insert into public.audit_logs (id, table_name, operation, user_id, record_id, old_data, new_data, timestamp)
  values (
    gen_random_uuid(), tg_table_name, tg_op, public.current_user_id(),
    (coalesce(after, before) ->> 'id')::uuid, before, after, clock_timestamp() at time zone 'UTC'
  );
  return null;
end $$;
comment on function audit_row_write() is 'Writes one row of audit_logs for each row written.';

create function audit_truncate() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.audit_logs (id, table_name, operation, user_id, timestamp)
  values (gen_random_uuid(), tg_table_name, tg_op, public.current_user_id(), clock_timestamp() at time zone 'UTC');
  return null;
end $$;
comment on function audit_truncate() is 'Writes into audit_logs that a table was emptied.';

-- Who may execute them may put them on a table of their own, and write what they like into the log.
-- Triggers fire without this right.
revoke execute on function audit_row_write(), audit_truncate() from public;

do $$
declare
  audited record;
begin
  for audited in
    select * from (values
      ('users', array['email', 'password']),
      ('profiles', array['display_name', 'avatar_url']),
      ('trading_accounts', array[]::text[]),
      ('trading_strategies', array[]::text[]),
      ('positions', array[]::text[]),
      ('trades', array[]::text[]),
      ('backtest_results', array[]::text[]),
      ('alerts', array[]::text[]),
      ('notifications', array[]::text[]),
      ('api_connections', array['api_key', 'api_secret', 'passphrase'])
    ) as list (named, secrets)
  loop
    execute format(
      'create trigger audit_row_write after insert or update or delete on %I for each row execute function audit_row_write(%s)',
      audited.named, (select coalesce(string_agg(quote_literal(secret), ', '), '') from unnest(audited.secrets) as secret)
    );
    execute format(
      'create trigger audit_truncate after truncate on %I for each statement execute function audit_truncate()', audited.named
    );
    -- Also with session_replication_role = replica, which the daemon's role may set to load candles.
    execute format('alter table %I enable always trigger audit_row_write', audited.named);
    execute format('alter table %I enable always trigger audit_truncate', audited.named);
  end loop;
end $$;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is only ever added to: it cannot be changed or emptied', tg_table_name
    using errcode = 'insufficient_privilege';
end $$;
comment on function refuse_change() is 'Refuses whatever fires it.';

-- Rights and policies do not bind a superuser; a trigger does, also with session_replication_role = replica.
create trigger audit_logs_append_only before update or delete or truncate on audit_logs
  for each statement execute function refuse_change();
alter table audit_logs enable always trigger audit_logs_append_only;

alter table audit_logs enable row level security;
alter table audit_logs force row level security;
create policy audit_logs_user_isolation on audit_logs for select to beacon_app using (user_id = current_user_id());
-- The triggers run as the owner, whom the policies bind too; not even the owner adds to the log without them.
create policy audit_logs_append on audit_logs for insert with check (pg_trigger_depth() > 0);
grant select on audit_logs to beacon_app;
