-- Coins, their prices and their candles, as the schema document specifies them.
-- `timestamp` is without zone and always UTC: every session sets TimeZone=UTC.

create table coins (
  id varchar(50) primary key,
  symbol varchar(20) not null,
  name varchar(100) not null,
  image_url varchar(255),
  description text,
  website varchar(255),
  whitepaper varchar(255),
  blockchain_type varchar(50),
  created_at timestamp not null,
  updated_at timestamp not null
);
comment on table coins is 'Every coin that prices, candles or positions speak of; ids are CoinGecko''s.';

create table market_data (
  id uuid not null default gen_random_uuid(),
  coin_id varchar(50) not null references coins (id),
  price decimal(24, 8) not null check (price >= 0 and price <> 'NaN'),
  market_cap decimal(32, 2),
  volume_24h decimal(32, 2),
  change_24h decimal(10, 2),
  timestamp timestamp not null,
  rank integer,
  circulating_supply decimal(30, 8),
  max_supply decimal(30, 8),
  -- A unique key of a partitioned table must hold the partition key.
  primary key (id, timestamp),
  -- Loading the same answer twice is loading it once.
  constraint market_data_coin_id_timestamp_key unique (coin_id, timestamp)
) partition by range (timestamp);
create index idx_market_data_timestamp on market_data (timestamp);
comment on table market_data is 'Prices in USD as a source gave them, by day: percent is percent, volume is of 24 hours; NULL where the source does not know.';

create table ohlcv_data (
  coin_id varchar(50) not null references coins (id),
  timestamp timestamp not null,
  timeframe varchar(10) not null,
  open decimal(24, 8) not null,
  high decimal(24, 8) not null,
  low decimal(24, 8) not null,
  close decimal(24, 8) not null,
  volume decimal(32, 8) not null,
  constraint idx_ohlcv_timeframe_time primary key (coin_id, timeframe, timestamp),
  -- NaN is greater than every number, so the comparisons alone would let it pass.
  constraint ohlcv_data_sane check (
    low >= 0 and low <= open and low <= close and high >= open and high >= close and volume >= 0
    and high <> 'NaN' and volume <> 'NaN'
  )
) partition by list (timeframe);
comment on table ohlcv_data is 'Closed candles, exactly as the exchange gave them; timestamp is the open time.';

create table ohlcv_data_1m partition of ohlcv_data for values in ('1m') partition by range (timestamp);
create table ohlcv_data_5m partition of ohlcv_data for values in ('5m') partition by range (timestamp);
create table ohlcv_data_1h partition of ohlcv_data for values in ('1h') partition by range (timestamp);
create table ohlcv_data_1d partition of ohlcv_data for values in ('1d') partition by range (timestamp);
