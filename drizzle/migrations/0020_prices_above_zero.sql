-- A price of 0 is none. It was stored where a source did not know the price; each coin's go to quarantine as one row.
with none as (
  delete from market_data where price = 0 returning coin_id, timestamp
)
insert into quarantined_rows
  (source, market, coin_id, reason, kind, raw, times_seen, quarantined_at, last_seen_at)
select 'unknown', coin_id, coin_id, 'price 0 was stored, which is no price', 'price N was stored, which is no price',
  left(json_agg(timestamp order by timestamp)::text, 10000), count(*), min(timestamp), max(timestamp)
from none group by coin_id;

alter table market_data
  drop constraint market_data_price_check,
  add constraint market_data_price_check check (price > 0 and price <> 'NaN');
