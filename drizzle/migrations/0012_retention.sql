-- What outlives old prices, and what is known of partitions on their way out.

create table market_data_daily (
  coin_id varchar(50) not null references coins (id),
  day date not null,
  open decimal(24, 8) not null,
  high decimal(24, 8) not null,
  low decimal(24, 8) not null,
  close decimal(24, 8) not null,
  average_price decimal(24, 8) not null,
  market_cap decimal(32, 2),
  volume_24h decimal(32, 2),
  rank integer,
  circulating_supply decimal(30, 8),
  max_supply decimal(30, 8),
  samples integer not null,
  first_at timestamp not null,
  last_at timestamp not null,
  settled_at timestamp,
  primary key (coin_id, day),
  constraint market_data_daily_sane check (
    low >= 0 and low <= open and low <= close and low <= average_price
    and high >= open and high >= close and high >= average_price and high <> 'NaN'
    and market_cap <> 'NaN' and volume_24h <> 'NaN' and circulating_supply <> 'NaN' and max_supply <> 'NaN'
    and samples > 0 and first_at >= day and first_at <= last_at and last_at < day + 1
  )
);
create index idx_market_data_daily_day on market_data_daily (day);
comment on table market_data_daily is 'One row for each coin and UTC day of prices that are no longer kept one by one; in USD.';
comment on column market_data_daily.average_price is 'The mean of all samples, each counted once, rounded to 8 decimals.';
comment on column market_data_daily.market_cap is 'The last one of the day that its source knew, as are volume_24h, rank and both supplies.';
comment on column market_data_daily.samples is 'Of how many prices it was made.';
comment on column market_data_daily.first_at is 'When the first of its prices was, and last_at the last one.';
comment on column market_data_daily.settled_at is 'When the prices it was made of were dropped: nothing changes it any more.';
comment on constraint market_data_daily_coin_id_fkey on market_data_daily is
  'ON DELETE NO ACTION: a coin with prices is not deleted; it is no longer followed.';

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

-- By which old rows of our own are found.
create index idx_candle_revisions_revised_at on candle_revisions (revised_at);
create index idx_quarantined_rows_quarantined_at on quarantined_rows (quarantined_at);

create view api.market_data_daily with (security_invoker = true) as
select
  coin_id, day, open, high, low, close, average_price, market_cap, volume_24h, rank, circulating_supply, max_supply,
  samples
from public.market_data_daily;

grant select on market_data_daily to beacon_app, beacon_ingest, beacon_readonly;
grant insert, update on market_data_daily to beacon_ingest;
grant select on expiring_partitions to beacon_ingest, beacon_readonly;
grant select on api.market_data_daily to beacon_app, beacon_readonly;
