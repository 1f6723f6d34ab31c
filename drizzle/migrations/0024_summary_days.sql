-- The daily summary loses no day when hourly candles leave the database, and takes no part of a day for a whole one.

create table summary_days (
  coin_id varchar(50) not null references coins (id),
  day date not null,
  open decimal(24, 8) not null,
  high decimal(24, 8) not null,
  low decimal(24, 8) not null,
  close decimal(24, 8) not null,
  volume decimal(38, 8) not null,
  candles integer not null,
  composed_at timestamp not null,
  primary key (coin_id, day),
  constraint summary_days_candles_check check (candles between 0 and 24),
  constraint summary_days_sane check (
    low >= 0 and low <= open and low <= close and high >= open and high >= close and volume >= 0
    and high <> 'NaN' and volume <> 'NaN'
  )
);
comment on table summary_days is 'Days that the daily summary keeps after their candles have left the database: composed in the transaction that deletes the candles.';
comment on column summary_days.volume is 'The sum of up to 24 volumes needs more digits than one has.';
comment on column summary_days.candles is 'How many of the day''s 24 hourly candles it was composed of; 0 where it is a copy of the daily candle.';
comment on column summary_days.composed_at is 'When its candles were deleted.';
comment on constraint summary_days_coin_id_fkey on summary_days is
  'ON DELETE NO ACTION: a coin with candles is not deleted; it is no longer tracked.';

drop view api.daily_price_summary;
drop materialized view daily_price_summary;

-- 24 hourly candles, then the daily candle, then what was kept of a whole day, and else the most hours there are.
create materialized view daily_price_summary as
with hourly as (
  select
    coin_id,
    timestamp::date as day,
    (array_agg(open order by timestamp))[1] as open,
    max(high) as high,
    min(low) as low,
    (array_agg(close order by timestamp desc))[1] as close,
    sum(volume) as volume,
    count(*)::integer as candles
  from ohlcv_data
  where timeframe = '1h'
  group by coin_id, timestamp::date
), days as (
  select coin_id, day, open, high, low, close, volume, candles, 'hourly' as origin,
    case when candles = 24 then 1 else 28 - candles end as place
  from hourly
  union all
  select coin_id, timestamp::date, open, high, low, close, volume, 0, 'daily', 2
  from ohlcv_data
  where timeframe = '1d'
  union all
  select coin_id, day, open, high, low, close, volume, candles,
    case when candles = 0 then 'daily' else 'composed' end,
    case when candles in (0, 24) then 3 else 28 - candles end
  from summary_days
)
select distinct on (coin_id, day)
  coin_id, day::timestamp as day, open, high, low, close, volume, candles, origin
from days
order by coin_id, day, place, origin desc;

create unique index daily_price_summary_coin_id_day_key on daily_price_summary (coin_id, day);
comment on materialized view daily_price_summary is 'Open, high, low, close and volume of each coin and UTC day; refreshed at 00:05 UTC.';
comment on column daily_price_summary.candles is 'How many of the day''s 24 hourly candles it was made of; 0 where it comes from the daily candle.';
comment on column daily_price_summary.origin is 'hourly: from hourly candles of the table. daily: the daily candle. composed: from hourly candles that have left the table.';

create view api.daily_price_summary with (security_invoker = true) as
select
  coin_id, day, open, high, low, close, volume, candles
from public.daily_price_summary;

grant select on daily_price_summary, summary_days to beacon_app, beacon_ingest, beacon_readonly;
grant select on api.daily_price_summary to beacon_app, beacon_readonly;
