-- The same rejection seen again is one row with a count. Its raw text tells nothing of that: most hold a time.

alter table quarantined_rows
  add column kind varchar(200),
  add column times_seen integer not null default 1,
  add column last_seen_at timestamp;

update quarantined_rows
set last_seen_at = quarantined_at, kind = case when candle is null then left(reason_kind, 200) else left(reason_kind, 160) || ' #' ||
    md5(concat_ws(' ', candle ->> 'open', candle ->> 'high', candle ->> 'low', candle ->> 'close', candle ->> 'volume')) end
from (select id, regexp_replace(reason, '-?[0-9][0-9.:TZ+-]*', 'N', 'g') as reason_kind from quarantined_rows) as kinds
where quarantined_rows.id = kinds.id;

-- Of rows that are one now the newest stays that still needs a decision, or else the newest that was decided by hand.
with alike as (
  select id,
    first_value(id) over (
      same order by (settlement is null) desc, (settlement in ('discarded', 'accepted')) desc, quarantined_at desc, id
    ) as kept_id,
    count(*) over same as times_seen,
    min(quarantined_at) over same as first_seen_at,
    max(quarantined_at) over same as last_seen_at
  from quarantined_rows
  window same as (partition by source, market, coin_id, timeframe, timestamp, kind)
), repeated as (
  delete from quarantined_rows using alike where quarantined_rows.id = alike.id and alike.id <> alike.kept_id
)
update quarantined_rows as kept
set times_seen = alike.times_seen, quarantined_at = first_seen_at, last_seen_at = alike.last_seen_at
from alike where alike.id = kept.id and alike.id = alike.kept_id and alike.times_seen > 1;

drop index quarantined_rows_row_key;
drop index idx_quarantined_rows_quarantined_at;
alter table quarantined_rows
  alter column kind set not null,
  alter column last_seen_at set not null,
  add constraint quarantined_rows_row_key
    unique nulls not distinct (source, market, coin_id, timeframe, timestamp, kind),
  add constraint quarantined_rows_seen_check check (times_seen > 0 and quarantined_at <= last_seen_at);
create index idx_quarantined_rows_last_seen_at on quarantined_rows (last_seen_at);

comment on column quarantined_rows.kind is 'The reason without its numbers and times, and of a candle that can be accepted a hash of its values. The same kind for the same row again is counted, not kept twice.';
comment on column quarantined_rows.reason is 'As it was the last time, as are raw and run_id.';
comment on column quarantined_rows.times_seen is 'In how many answers it was rejected.';
comment on column quarantined_rows.quarantined_at is 'When it was first seen.';

grant update (reason, raw, candle, run_id, times_seen, last_seen_at) on quarantined_rows to beacon_ingest;
