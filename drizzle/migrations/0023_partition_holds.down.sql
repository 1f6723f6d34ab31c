drop table partition_holds;

create table expiring_partitions (
  name varchar(63) primary key,
  parent varchar(63) not null,
  holds_from timestamp not null,
  holds_to timestamp not null,
  ending varchar(20) not null check (ending in ('drop', 'archive', 'roll-up')),
  began_at timestamp not null,
  constraint expiring_partitions_range_check check (holds_from < holds_to)
);
comment on table expiring_partitions is 'Partitions that retention has begun to detach and has not dropped yet: whatever interrupts it, the next run finishes.';
comment on column expiring_partitions.holds_from is 'Its bounds as the catalog had them: once detached, it has none.';
comment on column expiring_partitions.ending is 'What must be safe before it goes. archive: a verified file. roll-up: its rows of market_data_daily.';

grant select on expiring_partitions to beacon_ingest, beacon_readonly;
