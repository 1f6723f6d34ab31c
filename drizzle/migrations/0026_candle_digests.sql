-- What was written of each series, kept by every load, so that what is stored, archived or restored later can be compared
-- with it.

create table candle_digests (
  coin_id varchar(50) not null references coins (id) on delete cascade,
  timeframe varchar(10) not null,
  bucket timestamp not null,
  rows bigint,
  sum_high bigint,
  sum_low bigint,
  primary key (coin_id, timeframe, bucket),
  constraint candle_digests_known_check check (num_nulls(rows, sum_high, sum_low) in (0, 3))
);
create index idx_candle_digests_bucket on candle_digests (timeframe, bucket);
comment on table candle_digests is 'How many candles of a UTC day (of a month, from 1d on) are in ohlcv_data, and the sums of their hashes: changed by every load in its own transaction.';
comment on column candle_digests.bucket is 'When the day or month begins.';
comment on column candle_digests.rows is 'NULL until they have been counted: they were there before this was kept, or were changed by something else than a load.';
comment on column candle_digests.sum_high is 'The sum of the first 32 bits of each candle''s hash, and sum_low that of the others; in any order of candles the same.';

create table archive_digests (
  archive_id uuid not null references archives (id) on delete cascade,
  coin_id varchar(50) not null,
  bucket timestamp not null,
  rows bigint,
  sum_high bigint,
  sum_low bigint,
  primary key (archive_id, coin_id, bucket),
  constraint archive_digests_known_check check (num_nulls(rows, sum_high, sum_low) in (0, 3))
);
comment on table archive_digests is 'The same of candles that are in a file: what candle_digests said when they left the table.';

alter table archives add column counted boolean not null default false;
comment on column archives.counted is 'Whether archive_digests says what the file must hold; else the next check counts it.';

create table archive_checks (
  id uuid primary key default gen_random_uuid(),
  coin_id varchar(50),
  checked_at timestamp not null,
  duration_ms integer not null,
  series integer not null,
  live_rows bigint not null,
  archived_rows bigint not null,
  files integer not null,
  counted integer not null,
  problems jsonb not null default '[]'
);
create index idx_archive_checks_checked_at on archive_checks (checked_at);
comment on table archive_checks is 'One row for each time rows and files were compared with what was written.';
comment on column archive_checks.coin_id is 'NULL for all coins.';
comment on column archive_checks.counted is 'Days, months and files that were counted for the first time.';
comment on column archive_checks.problems is 'What differs from what was written: where, and what helps.';

comment on constraint candle_digests_coin_id_fkey on candle_digests is
  'ON DELETE CASCADE: what is known of a coin''s candles goes with the coin.';
comment on constraint archive_digests_archive_id_fkey on archive_digests is
  'ON DELETE CASCADE: what a file must hold goes with its row of the manifest.';

-- Of what is there already nothing is known.
insert into candle_digests (coin_id, timeframe, bucket)
select distinct coin_id, timeframe, bucket
from candle_coverage, unnest(ranges) as part, generate_series(
  date_trunc(case when timeframe = '1d' then 'month' else 'day' end, lower(part)), upper(part) - interval '1 microsecond',
  case when timeframe = '1d' then interval '1 month' else interval '1 day' end
) as bucket
where state = 'stored';

grant select on candle_digests, archive_digests, archive_checks to beacon_ingest, beacon_readonly;
grant insert, update on candle_digests to beacon_ingest;
