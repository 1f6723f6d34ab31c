-- Which rows have left the database, and in which file they lie. A file that no row names is believed by nobody.

create table archives (
  id uuid primary key,
  table_name varchar(63) not null,
  partition_name varchar(63),
  range_from timestamp not null,
  range_to timestamp not null,
  state varchar(20) not null,
  place text not null,
  file_name varchar(255) not null,
  row_count bigint,
  bytes bigint,
  sha256 varchar(64),
  columns jsonb not null,
  checksums jsonb,
  coverage jsonb,
  created_at timestamp not null,
  verified_at timestamp,
  dropped_at timestamp,
  restored_at timestamp,
  restored_until timestamp,
  constraint archives_file_name_key unique (file_name),
  constraint archives_range_check check (range_from < range_to),
  constraint archives_state_known check (state in ('writing', 'written', 'verified', 'dropped', 'restored', 'discarded')),
  -- Only a whole file may be written down as one, and only one that was read back may stand for rows.
  constraint archives_written_check check (
    state in ('writing', 'discarded')
    or (row_count is not null and bytes is not null and sha256 is not null and checksums is not null)
  ),
  constraint archives_verified_check check (state not in ('verified', 'dropped', 'restored') or verified_at is not null)
);
create index idx_archives_range on archives (table_name, range_from);
comment on table archives is 'One row for each file of the archive, written before the file is begun: what it holds, where it lies, and whether it was read back.';
comment on column archives.table_name is 'What its rows are put back into.';
comment on column archives.partition_name is 'NULL where rows were archived one by one.';
comment on column archives.state is
  'writing: the file may be a part, and is removed if its writer died. written: whole, not read back yet. verified: read back and equal to the table. dropped: the rows are only in the file. restored: they are in the table again. discarded: the file is about to be removed.';
comment on column archives.place is 'The folder or bucket, as a URL without credentials.';
comment on column archives.columns is 'Name, type and nullability of each column, in the order of the file.';
comment on column archives.checksums is 'Column → sum of the hashes of its values, and under * that of the whole rows; equal in the table and in the file.';
comment on column archives.coverage is 'What candle_coverage said of the range when it was archived: it comes back with the rows.';
comment on column archives.restored_until is 'Until then retention leaves the restored rows alone.';

grant select on archives to beacon_ingest, beacon_readonly;
-- Notifications leave the table in the transaction that records it, and may be put back.
grant select, update on archives to beacon_upkeep;
grant insert on notifications to beacon_upkeep;
