-- What maintenance changes is in the audit log too: partitions made, archived, dropped and put back, candles deleted or
-- replaced by hand, coins tracked and no longer tracked, old rows that left their table. Bulk loads are not: ingest_runs
-- has one row for each, and candle_revisions every value that was replaced.
-- And what a record's audit rows tell of it does not outlive the record: once it was archived or dropped, they leave too.

alter table audit_logs
  drop constraint audit_logs_operation_known,
  add constraint audit_logs_operation_known check (
    operation in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    -- An entry of maintenance belongs to no user, and says who did it to what.
    or (
      operation in (
        'CREATE', 'ARCHIVE', 'DROP', 'RESTORE', 'PURGE', 'REPLACE', 'REMOVE', 'REPAIR', 'DISCARD', 'TRACK', 'UNTRACK'
      )
      and user_id is null and record_id is null and old_data is null
      and new_data ->> 'actor' is not null and new_data ->> 'entity' is not null
    )
  );
comment on table audit_logs is
  'Every write to a table of users, as it was and as it became, and what maintenance did. Only ever added to; what was written of a record leaves once the record was archived or dropped. Not partitioned: its key is id alone, as the document has it, which cannot be the key of a table partitioned by time; and a write to a user''s table must never fail because a month''s partition is missing.';
comment on column audit_logs.operation is
  'INSERT, UPDATE, DELETE or TRUNCATE by whatever program wrote. By maintenance: CREATE and DROP of a partition; ARCHIVE of rows that left for a file, RESTORE of those that came back; PURGE of old rows; REPLACE and REMOVE of candles by hand, REPAIR of the coverage, DISCARD of quarantined rows; TRACK and UNTRACK of a coin.';
comment on column audit_logs.new_data is
  'The row after; where what is redacted has changed, it says [redacted, changed]. Of maintenance: actor, the one who did it; entity, what it was done to; and what else there is to say.';

create index idx_audit_logs_timestamp on audit_logs (timestamp);

-- Maintenance writes its own entries and no other: the roles that change data by command, and the owner of the table, who
-- may be no member of them. Nobody who acts for a user sees them.
create policy audit_logs_maintenance on audit_logs for insert with check (
  operation not in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') and (
    pg_has_role('beacon_upkeep', 'member') or pg_has_role('beacon_ingest', 'member')
    or pg_has_role((select relowner from pg_class where oid = 'public.audit_logs'::regclass), 'usage')
  )
);
create policy audit_logs_upkeep_read on audit_logs for select to beacon_upkeep using (current_user = 'beacon_upkeep');
create policy audit_logs_upkeep_delete on audit_logs for delete to beacon_upkeep using (current_user = 'beacon_upkeep');
grant select, insert, delete on audit_logs to beacon_upkeep;
grant insert on audit_logs to beacon_ingest;

-- Rows that maintenance moves to the archive, deletes or puts back have one entry together: row by row, the log would keep
-- what the archive is to take away. Only beacon_upkeep may leave them out, by app.rows_have_one_entry; what a deletion takes
-- along is still logged row by row.
create or replace function audit_row_write() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  before jsonb := case when tg_op in ('UPDATE', 'DELETE') then to_jsonb(old) end;
  after jsonb := case when tg_op in ('INSERT', 'UPDATE') then to_jsonb(new) end;
  secret text;
begin
  if current_setting('role') = 'beacon_upkeep' and current_setting('app.rows_have_one_entry', true) = 'yes'
    and tg_op <> 'UPDATE' and pg_trigger_depth() = 1 then
    return null;
  end if;
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

-- What is deleted from the log must be of a record that is gone, and only beacon_upkeep deletes it.
create function audit_record_is_gone(named text, record uuid) returns boolean
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  stands boolean;
begin
  if record is null or to_regclass(format('public.%I', named)) is null then
    return false;
  end if;
  execute format('select exists (select from public.%I where id = $1)', named) into stands using record;
  return not stands;
end $$;
comment on function audit_record_is_gone(text, uuid) is 'Whether the table has no row of this id, as far as the caller sees.';

create function refuse_audit_delete() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not public.audit_record_is_gone(old.table_name, old.record_id) then
    raise exception 'audit_logs keeps what was written of a record for as long as the record is there'
      using errcode = 'insufficient_privilege';
  end if;
  return old;
end $$;
comment on function refuse_audit_delete() is 'Refuses to delete what is logged of a record that is still there, and entries of maintenance.';

drop trigger audit_logs_append_only on audit_logs;
create trigger audit_logs_append_only before update or truncate on audit_logs
  for each statement execute function refuse_change();
create trigger audit_logs_deletion before delete on audit_logs
  for each statement when (current_user <> 'beacon_upkeep') execute function refuse_change();
create trigger audit_logs_record_gone before delete on audit_logs
  for each row execute function refuse_audit_delete();
alter table audit_logs enable always trigger audit_logs_append_only;
alter table audit_logs enable always trigger audit_logs_deletion;
alter table audit_logs enable always trigger audit_logs_record_gone;
