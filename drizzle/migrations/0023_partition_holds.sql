-- A partition leaves its table in one transaction, with its archive, its summary and its coverage. Nothing is detached and
-- not dropped any more, so nothing has to be remembered about it.

-- What an interrupted run has left detached becomes part of its table again: the next run deletes it.
do $$
declare
  left_over record;
begin
  for left_over in
    select child.relname as name, parent.relname as parent, holds_from, holds_to, inhdetachpending as is_pending,
      inhrelid is null as is_detached
    from expiring_partitions
    join pg_class as child on child.relname = expiring_partitions.name and child.relnamespace = 'public'::regnamespace
    join pg_class as parent on parent.relname = expiring_partitions.parent and parent.relnamespace = 'public'::regnamespace
    left join pg_inherits on inhrelid = child.oid
  loop
    if left_over.is_pending then
      execute format('alter table public.%I detach partition public.%I finalize', left_over.parent, left_over.name);
    end if;
    if left_over.is_pending or left_over.is_detached then
      execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
        left_over.parent, left_over.name, left_over.holds_from, left_over.holds_to);
    end if;
  end loop;
end $$;

drop table expiring_partitions;

create table partition_holds (
  schema_name varchar(63) not null,
  name varchar(63) not null,
  parent varchar(63) not null,
  holds_from timestamp,
  holds_to timestamp,
  kind varchar(20) not null,
  reason text not null,
  remedy text,
  held_since timestamp not null,
  checked_at timestamp not null,
  primary key (schema_name, name),
  constraint partition_holds_kind_known check (
    kind in ('object', 'owner', 'shape', 'lock', 'content', 'storage', 'failure')
  ),
  constraint partition_holds_range_check check (holds_from < holds_to),
  constraint partition_holds_checked_check check (held_since <= checked_at)
);
comment on table partition_holds is 'Partitions that are older than they are kept and could not be deleted: why, and what helps. Tried again every few minutes.';
comment on column partition_holds.holds_from is 'Its bounds; NULL for a DEFAULT partition and others without bounds in time.';
comment on column partition_holds.kind is
  'object: something of somebody else depends on it. owner: another role owns it. shape: it is not a plain partition with bounds in time. lock: a session uses it. content: its rows differ from their archive, daily rows or summary. storage: the archive cannot be written. failure: anything else.';
comment on column partition_holds.remedy is 'The statement or command that helps.';
comment on column partition_holds.checked_at is 'When it was tried last.';

grant select on partition_holds to beacon_ingest, beacon_readonly;
