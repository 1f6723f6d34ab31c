comment on column archives.partition_name is 'NULL where rows were archived one by one.';

alter table archives
  drop column superseded_ranges,
  drop column restored_ranges,
  drop column sequence;
