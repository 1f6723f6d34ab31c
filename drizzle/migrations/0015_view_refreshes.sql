-- What is known of each refresh of a summary, and where the summaries that have a file of their own came from.

create table view_refreshes (
  id uuid primary key default gen_random_uuid(),
  view varchar(63) not null,
  refreshed_at timestamp not null,
  duration_ms integer not null,
  rows bigint not null,
  covers_to timestamp not null,
  fingerprint text not null,
  incomplete jsonb not null default '{}',
  run_id uuid
);
create index idx_view_refreshes_view on view_refreshes (view, refreshed_at);
comment on table view_refreshes is 'One row for each time a materialized view was refreshed.';
comment on column view_refreshes.covers_to is 'Days before this were over.';
comment on column view_refreshes.fingerprint is 'Of the candles of those days as the ledger had them just before: when it differs, the view is out of date.';
comment on column view_refreshes.incomplete is 'Hourly candles of the last of those days that could not be had in time, by coin.';

create table view_definitions (
  view varchar(63) primary key,
  sha256 char(64) not null,
  made_at timestamp not null
);
comment on table view_definitions is 'Materialized views that were made from a file of drizzle/views, and the hash of its text: another text makes them anew.';

create index idx_candle_revisions_summarised on candle_revisions (timestamp) where timeframe in ('1h', '1d');

-- Only their owner can refresh or make a view.
grant select on view_refreshes, view_definitions to beacon_readonly;
