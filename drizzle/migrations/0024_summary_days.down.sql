drop view api.daily_price_summary;
drop materialized view daily_price_summary;
drop table summary_days;

create materialized view daily_price_summary as
with hourly as (
  select
    coin_id,
    date_trunc('day', timestamp) as day,
    (array_agg(open order by timestamp))[1] as open,
    max(high) as high,
    min(low) as low,
    (array_agg(close order by timestamp desc))[1] as close,
    sum(volume) as volume,
    count(*)::integer as candles
  from ohlcv_data
  where timeframe = '1h'
  group by coin_id, date_trunc('day', timestamp)
)
select coin_id, day, open, high, low, close, volume, candles from hourly
union all
select coin_id, timestamp, open, high, low, close, volume, 0
from ohlcv_data as daily
where timeframe = '1d'
  and not exists (select from hourly where hourly.coin_id = daily.coin_id and hourly.day = daily.timestamp);

create unique index daily_price_summary_coin_id_day_key on daily_price_summary (coin_id, day);
comment on materialized view daily_price_summary is 'Open, high, low, close and volume of each coin and UTC day; refreshed at 00:05 UTC.';
comment on column daily_price_summary.candles is 'How many of the day''s 24 hourly candles it was made of; 0 where it comes from the daily candle.';

create view api.daily_price_summary with (security_invoker = true) as
select
  coin_id, day, open, high, low, close, volume, candles
from public.daily_price_summary;

grant select on daily_price_summary to beacon_app, beacon_ingest, beacon_readonly;
grant select on api.daily_price_summary to beacon_app, beacon_readonly;
