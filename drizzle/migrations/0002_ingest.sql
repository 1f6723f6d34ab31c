-- What the daemon itself must remember: which markets it follows, what it has, what it did, what it refused.

create table instruments (
  coin_id varchar(50) not null references coins (id) on delete cascade,
  source varchar(50) not null,
  symbol varchar(50) not null,
  preference integer not null check (preference >= 0),
  followed_from timestamp not null,
  followed_to timestamp,
  primary key (coin_id, source, symbol)
);
comment on table instruments is 'Which market on which source stands for a coin. The first by preference that is still followed is read.';
comment on column instruments.symbol is 'In the source''s own spelling.';
comment on column instruments.followed_to is 'Set when the coin was removed; its data stays.';

create table candle_coverage (
  coin_id varchar(50) not null references coins (id) on delete cascade,
  timeframe varchar(10) not null,
  source varchar(50) not null,
  state varchar(20) not null check (state in ('stored', 'no-trades', 'refused')),
  ranges tsmultirange not null,
  updated_at timestamp not null,
  primary key (coin_id, timeframe, source, state)
);
comment on table candle_coverage is 'What is known of each series, as ranges of open times, written in the transaction that writes the candles. Owed is what is wanted and has no state.';
comment on column candle_coverage.state is 'stored: in ohlcv_data. no-trades: the source answered without a candle. refused: quarantined.';

create table ingest_runs (
  id uuid primary key,
  job varchar(100) not null,
  queue varchar(100) not null,
  job_id varchar(255) not null,
  attempt integer not null,
  payload jsonb not null,
  status varchar(20) not null check (status in ('running', 'done', 'failed', 'abandoned')),
  will_retry boolean not null default false,
  started_at timestamp not null,
  finished_at timestamp,
  outcome jsonb,
  error text
);
create index idx_ingest_runs_job on ingest_runs (job, started_at);
create index idx_ingest_runs_job_id on ingest_runs (job_id);
create index idx_ingest_runs_started_at on ingest_runs (started_at);
comment on table ingest_runs is 'One row for each time a job ran: the truth about what was done, which the queue forgets.';
comment on column ingest_runs.status is 'abandoned: the process died in the middle; another run took the job up again.';

create table candle_revisions (
  coin_id varchar(50) not null references coins (id) on delete cascade,
  timeframe varchar(10) not null,
  timestamp timestamp not null,
  revised_at timestamp not null,
  source varchar(50) not null,
  run_id uuid,
  old_open decimal(24, 8) not null,
  old_high decimal(24, 8) not null,
  old_low decimal(24, 8) not null,
  old_close decimal(24, 8) not null,
  old_volume decimal(32, 8) not null,
  new_open decimal(24, 8) not null,
  new_high decimal(24, 8) not null,
  new_low decimal(24, 8) not null,
  new_close decimal(24, 8) not null,
  new_volume decimal(32, 8) not null
);
create index idx_candle_revisions_series on candle_revisions (coin_id, timeframe, timestamp);
comment on table candle_revisions is 'A closed candle that its exchange changed afterwards: the values before and after.';

create table quarantined_rows (
  id uuid primary key default gen_random_uuid(),
  source varchar(50) not null,
  market varchar(50) not null,
  coin_id varchar(50) references coins (id) on delete cascade,
  timeframe varchar(10),
  timestamp timestamp,
  reason text not null,
  raw text not null,
  run_id uuid,
  quarantined_at timestamp not null
);
-- The same bad row, seen again at the next try, is kept once.
create unique index quarantined_rows_row_key on quarantined_rows (source, market, coalesce(timeframe, ''), md5(raw), md5(reason));
comment on table quarantined_rows is 'Rows of an answer that were not believed, as they came, with the reason.';

create table request_budget (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
comment on table request_budget is 'How much of each source''s rate limit the fleet has used; where Redis is the queue, it is kept there instead.';
