-- How long each partitioned table was kept when that was agreed to last. After weeks away, most of a table may be older than
-- that at once, and may be deleted; what only a lowered "keep" makes old waits until somebody agrees.

create table retention_policies (
  table_name varchar(63) primary key,
  keep_ms bigint,
  accepted_at timestamp not null,
  constraint retention_policies_keep_check check (keep_ms > 0)
);
comment on table retention_policies is 'How long the rows of each partitioned table were to be kept when a run of retention last needed no consent, or had it.';
comment on column retention_policies.keep_ms is 'In milliseconds; NULL for ever.';

grant select on retention_policies to beacon_ingest, beacon_readonly;
