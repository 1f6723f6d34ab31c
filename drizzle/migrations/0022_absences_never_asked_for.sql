-- Until now, what lies before the instant at which a source was said to have opened was recorded as absent without a
-- request. Coinbase has candles from before it. Nothing before these instants was ever asked for, so all of it is unknown
-- again; absences from then on are answers, and stay.

create temp table opened (source text primary key, at timestamp not null) on commit drop;
insert into opened values ('coinbase', '2015-01-01'), ('kraken', '2013-09-01'), ('bitstamp', '2011-08-01');

-- The two states of what is to be looked at once more also hold parts of `refused`, which is of rows that came.
create temp table never_asked on commit drop as
select coin_id, timeframe, source, ranges * tsmultirange(tsrange(null, at)) as ranges
from candle_coverage join opened using (source)
where state = 'no-trades';

update candle_coverage as covered
set ranges = covered.ranges - never_asked.ranges
from never_asked
where (covered.coin_id, covered.timeframe, covered.source) = (never_asked.coin_id, never_asked.timeframe, never_asked.source)
  and covered.state in ('no-trades', 'recheck-after-day', 'recheck-after-month')
  and covered.ranges && never_asked.ranges;

-- What comes back with the rows of an archive; ranges are milliseconds since 1970 there.
update archives
set coverage = (
  select jsonb_agg(
    case when opened.source is null or entry ->> 'state' <> 'no-trades' then entry
    else jsonb_set(entry, '{ranges}', (
      select coalesce(jsonb_agg(jsonb_build_array(greatest((part ->> 0)::bigint, at_ms), part -> 1) order by place), '[]')
      from jsonb_array_elements(entry -> 'ranges') with ordinality as parts (part, place),
        lateral (select (extract(epoch from opened.at) * 1000)::bigint as at_ms) as instant
      where (part ->> 1)::bigint > at_ms
    )) end
    order by position
  )
  from jsonb_array_elements(coverage) with ordinality as entries (entry, position)
  left join opened on opened.source = entry ->> 'source'
)
where exists (
  select from jsonb_array_elements(coverage) as entry
  join opened on opened.source = entry ->> 'source'
  where entry ->> 'state' = 'no-trades'
    and (entry #>> '{ranges,0,0}')::bigint < (extract(epoch from opened.at) * 1000)::bigint
);
