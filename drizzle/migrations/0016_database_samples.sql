-- How the database is doing, minute by minute, and what somebody was told to look at.

create table database_samples (
  sampled_at timestamp primary key,
  average_query_ms double precision,
  ping_ms double precision not null,
  cache_hit_ratio double precision,
  index_scan_ratio double precision,
  connections_active integer not null,
  connections_idle integer not null,
  connections_waiting integer not null,
  connections_max integer not null,
  database_bytes bigint not null,
  disk_free_bytes bigint,
  counters jsonb not null
);
comment on table database_samples is 'Figures of the database, one row for each minute, kept for some days.';
comment on column database_samples.average_query_ms is 'Over the minute before; null where there was no sample before it, and before version 14.';
comment on column database_samples.ping_ms is 'How long the smallest statement took, with its way there and back.';
comment on column database_samples.cache_hit_ratio is 'Over the minute before: blocks found in shared buffers, of all that were asked for.';
comment on column database_samples.index_scan_ratio is 'Over the minute before: scans that used an index, of all.';
comment on column database_samples.connections_waiting is 'Those that wait for a lock.';
comment on column database_samples.disk_free_bytes is 'Null where the server''s disk cannot be seen from here.';
comment on column database_samples.counters is 'The server''s running totals, from which the next sample is worked out.';

create table incidents (
  id uuid primary key default gen_random_uuid(),
  key varchar(200) not null,
  sentence text not null,
  opened_at timestamp not null,
  resolved_at timestamp check (resolved_at >= opened_at)
);
create unique index incidents_open_key on incidents (key) where resolved_at is null;
create index idx_incidents_opened_at on incidents (opened_at);
comment on table incidents is 'What somebody was told to look at, from when to when. Of one kind at most one is open.';

create table webhook_deliveries (
  id uuid primary key default gen_random_uuid(),
  incident_id uuid not null references incidents (id) on delete cascade,
  event varchar(20) not null check (event in ('opened', 'resolved')),
  attempts integer not null default 0,
  due_at timestamp not null,
  delivered_at timestamp,
  error text,
  unique (incident_id, event)
);
create index idx_webhook_deliveries_due on webhook_deliveries (due_at) where delivered_at is null;
comment on constraint webhook_deliveries_incident_id_fkey on webhook_deliveries is 'ON DELETE CASCADE: what is told of an incident goes with it.';
comment on table webhook_deliveries is 'What the webhook is to be told of incidents, until it has been.';

grant select on database_samples, incidents to beacon_readonly;
grant select, insert, update, delete on database_samples, incidents, webhook_deliveries to beacon_ingest;
