-- Coverage holds whole candles. A time off the grid breaks the arithmetic of its whole series: parts of candles that got in
-- before are removed, and these candles are asked for again.

with length as (
  select *, timeframe::interval as candle from candle_coverage where timeframe ~ '^\d+[mhd]$'
), part as (
  select coin_id, timeframe, source, state, candle, lower(part) as begins, upper(part) as ends,
    date_bin(candle, lower(part), '1970-01-01') as begins_floor, date_bin(candle, upper(part), '1970-01-01') as ends_floor
  from length, unnest(ranges) as part
  where not lower_inf(part) and not upper_inf(part)
), spoilt as (
  select distinct coin_id, timeframe, source from part where begins <> begins_floor or ends <> ends_floor
  union
  select coin_id, timeframe, source from candle_coverage where lower_inf(ranges) or upper_inf(ranges)
), whole as (
  select coin_id, timeframe, source, state, range_agg(tsrange(begins_whole, ends_floor)) as ranges
  from part
  join spoilt using (coin_id, timeframe, source)
  cross join lateral (
    select case when begins = begins_floor then begins else begins_floor + candle end as begins_whole
  ) as rounded
  where begins_whole < ends_floor
  group by coin_id, timeframe, source, state
), series as (
  select coin_id, timeframe, source,
    coalesce(range_agg(ranges) filter (where state = 'stored'), '{}') as stored,
    coalesce(range_agg(ranges) filter (where state = 'no-trades'), '{}') as absent,
    coalesce(range_agg(ranges) filter (where state = 'refused'), '{}') as rejected,
    coalesce(range_agg(ranges) filter (where state = 'provisional'), '{}') as provisional,
    coalesce(range_agg(ranges) filter (where state = 'recheck-after-day'), '{}') as after_day,
    coalesce(range_agg(ranges) filter (where state = 'recheck-after-month'), '{}') as after_month
  from spoilt left join whole using (coin_id, timeframe, source)
  group by coin_id, timeframe, source
), repaired as (
  select coin_id, timeframe, source, rule.state, rule.ranges
  from series, lateral (values
    ('stored', stored),
    ('no-trades', absent - stored),
    ('refused', rejected - stored - absent),
    ('provisional', provisional * stored),
    ('recheck-after-day', after_day * after_month * (absent + rejected) - stored),
    ('recheck-after-month', after_month * (absent + rejected) - stored)
  ) as rule (state, ranges)
)
update candle_coverage as known set ranges = repaired.ranges
from repaired
where known.coin_id = repaired.coin_id and known.timeframe = repaired.timeframe and known.source = repaired.source
  and known.state = repaired.state and known.ranges <> repaired.ranges;

-- A CHECK would read the whole set at each write, and some have tens of thousands of ranges: checking the change is enough.
create function refuse_partial_candles() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  candle constant interval := new.timeframe::interval;
  before constant tsmultirange := case when tg_op = 'UPDATE' then old.ranges else '{}' end;
begin
  if exists (
    select from unnest((new.ranges - before) + (before - new.ranges)) as part
    where lower_inf(part) or upper_inf(part) or not lower_inc(part) or upper_inc(part)
      or lower(part) <> date_bin(candle, lower(part), '1970-01-01')
      or upper(part) <> date_bin(candle, upper(part), '1970-01-01')
  ) then
    raise exception using errcode = 'check_violation', table = 'candle_coverage', constraint = 'candle_coverage_whole_candles',
      message = format('coverage of %s %s candles holds whole candles alone', new.coin_id, new.timeframe);
  end if;
  return new;
end $$;
comment on function refuse_partial_candles() is 'Keeps times off the grid of the timeframe out of candle_coverage.';
create trigger candle_coverage_whole_candles before insert or update of ranges, timeframe on candle_coverage
  for each row execute function refuse_partial_candles();
-- Loads set session_replication_role to replica, which disables other triggers.
alter table candle_coverage enable always trigger candle_coverage_whole_candles;

-- A rejected candle that could be stored all the same keeps its five numbers, so that an operator can accept it.
alter table quarantined_rows
  add column candle jsonb,
  drop constraint quarantined_rows_settlement_check,
  add constraint quarantined_rows_settlement_check check (
    settlement in ('loaded', 'withdrawn', 'discarded', 'accepted', 'superseded')
  );
-- As the down migration has noted them.
update quarantined_rows
set settlement = noted[1], settled_reason = noted[2]
from quarantined_rows as kept
cross join lateral regexp_match(kept.settled_reason, '^(accepted|superseded)(?:: (.*))?$', 's') as noted
where quarantined_rows.id = kept.id and kept.settlement = 'loaded' and noted is not null;

-- Rows with an unexpected close time all had one reason. With the reason that is given today they are recognised when they come
-- again, and stay resolved; a candle that was cut short gets its numbers.
with flagged as (
  select id, source, timeframe, timestamp, timeframe::interval as length, regexp_match(
    raw, '^\[\d{13},"(\d{1,16}\.?\d{0,8})","(\d{1,16}\.?\d{0,8})","(\d{1,16}\.?\d{0,8})","(\d{1,16}\.?\d{0,8})","(\d{1,24}\.?\d{0,8})",(\d{13}),'
  ) as written
  from quarantined_rows
  where source in ('binance', 'mexc') and timeframe ~ '^\d+[mhd]$' and timestamp is not null
    and reason = format('close time is not that of a %s candle', timeframe)
), timed as (
  select *, timestamp + length as due,
    -- Binance writes the last millisecond that belongs to the candle, MEXC the first that does not.
    timestamp '1970-01-01' + (written[6]::bigint + (source = 'binance')::integer) * interval '1 millisecond' as closes
  from flagged where written is not null
), explained as (
  select *, timestamp <> date_bin(length, timestamp, '1970-01-01') as is_off_grid, closes > timestamp and closes < due as is_early,
    format(
      'closes %s UTC instead of %s',
      to_char(closes, case when closes = date_trunc('minute', closes) then 'YYYY-MM-DD HH24:MI' else 'YYYY-MM-DD HH24:MI:SS' end),
      case when closes::date = due::date then to_char(due, 'HH24:MI') else to_char(due, 'YYYY-MM-DD HH24:MI') || ' UTC' end
    ) as times,
    (written[3]::numeric <= least(written[1]::numeric, written[4]::numeric)
      and written[2]::numeric >= greatest(written[1]::numeric, written[4]::numeric)) as is_consistent
  from timed
)
update quarantined_rows as kept
set reason = case
    when is_off_grid then format('%s is not on the %s grid', to_char(kept.timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), kept.timeframe)
    when is_early then 'cut short: ' || times
    else format('not a %s candle: ', kept.timeframe) || times
  end,
  candle = case when is_early and is_consistent and not is_off_grid then jsonb_build_object(
    'open', written[1], 'high', written[2], 'low', written[3], 'close', written[4], 'volume', written[5]
  ) end
from explained where kept.id = explained.id;

comment on column quarantined_rows.candle is 'Open, high, low, close and volume as texts, where the row could be stored; NULL where it never can be.';
comment on column quarantined_rows.settlement is 'NULL: open. loaded: the table has a candle for its open time. withdrawn: its source has none there any more. discarded: resolved by hand, and not asked for again. accepted: stored by hand. superseded: the same answer held a later state of the candle.';
