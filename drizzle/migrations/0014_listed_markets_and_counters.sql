-- What each source listed when it was last looked at: a market that vanishes is compared with what has appeared since,
-- and one whose listing began anew with what stood there before.
create table listed_markets (
  source varchar(50) not null,
  symbol varchar(50) not null,
  base varchar(50) not null,
  quote varchar(50) not null,
  also_called varchar(50)[] not null,
  listed_at timestamp,
  appeared_at timestamp not null,
  last_seen_at timestamp not null,
  primary key (source, symbol)
);
comment on table listed_markets is 'What each source listed when it was last looked at, followed or not.';
comment on column listed_markets.base is 'In the common spelling (BTC), as are quotes.';
comment on column listed_markets.also_called is 'What else the source calls it.';
comment on column listed_markets.listed_at is 'Since when it is listed, where the source tells.';
comment on column listed_markets.appeared_at is 'The first look in which it was there, and has been in every one since.';
comment on column listed_markets.last_seen_at is 'The last look in which it was there. What is not there any more stays here.';

create table instrument_renames (
  coin_id varchar(50) not null references coins (id) on delete cascade,
  source varchar(50) not null,
  old_symbol varchar(50) not null,
  new_symbol varchar(50) not null,
  old_base varchar(50) not null,
  new_base varchar(50) not null,
  renamed_at timestamp not null,
  primary key (coin_id, source, old_symbol, renamed_at)
);
comment on table instrument_renames is 'When a followed market took another name. Only what its source has proven stands here.';
comment on constraint instrument_renames_coin_id_fkey on instrument_renames is 'ON DELETE CASCADE: what its markets were called is of no use without the coin.';
comment on column instrument_renames.new_symbol is 'The same as before where the source renamed the coin and kept the symbol.';
comment on column instrument_renames.renamed_at is 'The look that found the new name.';

create table fleet_counters (
  name varchar(100) not null,
  labels jsonb not null,
  value double precision not null,
  updated_at timestamp not null,
  primary key (name, labels)
);
comment on table fleet_counters is 'What the processes of the fleet have counted since ever: each adds what is new every few seconds. For /metrics, never for accounts.';
comment on column fleet_counters.name is 'As Prometheus calls it; of a histogram also its buckets, its sum and its count.';

grant select on listed_markets, instrument_renames, fleet_counters to beacon_ingest, beacon_readonly;
grant insert, update on listed_markets, fleet_counters to beacon_ingest;
grant insert on instrument_renames to beacon_ingest;
