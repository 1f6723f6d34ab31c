drop trigger audit_logs_record_gone on audit_logs;
drop trigger audit_logs_deletion on audit_logs;
drop trigger audit_logs_append_only on audit_logs;
drop function refuse_audit_delete();
drop function audit_record_is_gone(text, uuid);

create or replace function audit_row_write() returns trigger
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

revoke insert on audit_logs from beacon_ingest;
revoke select, insert, delete on audit_logs from beacon_upkeep;
drop policy audit_logs_upkeep_delete on audit_logs;
drop policy audit_logs_upkeep_read on audit_logs;
drop policy audit_logs_maintenance on audit_logs;
drop index idx_audit_logs_timestamp;

-- What maintenance did has no place in the former table.
alter table audit_logs no force row level security;
delete from audit_logs where operation not in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE');
alter table audit_logs force row level security;
alter table audit_logs
  drop constraint audit_logs_operation_known,
  add constraint audit_logs_operation_known check (operation in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'));
comment on table audit_logs is
  'Every write to a table of users, as it was and as it became; only ever added to. Not partitioned: its key is id alone, as the document has it, which cannot be the key of a table partitioned by time; and a write to a user''s table must never fail because a month''s partition is missing.';
comment on column audit_logs.operation is null;
comment on column audit_logs.new_data is 'The row after; where what is redacted has changed, it says [redacted, changed].';

create trigger audit_logs_append_only before update or delete or truncate on audit_logs
  for each statement execute function refuse_change();
alter table audit_logs enable always trigger audit_logs_append_only;
