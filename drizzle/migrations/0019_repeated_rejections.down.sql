-- Each row stays as it was seen last; how often is not kept. Of rows with the same raw text, which are one
-- again, the one that still needs a decision stays.
revoke update (reason, raw, candle, run_id) on quarantined_rows from beacon_ingest;
comment on column quarantined_rows.quarantined_at is null;
comment on column quarantined_rows.reason is null;
drop index idx_quarantined_rows_last_seen_at;
alter table quarantined_rows
  drop constraint quarantined_rows_seen_check,
  drop constraint quarantined_rows_row_key,
  drop column last_seen_at,
  drop column times_seen,
  drop column kind;

delete from quarantined_rows as repeated using quarantined_rows as kept
where (repeated.source, repeated.market, coalesce(repeated.timeframe, ''), md5(repeated.raw), md5(repeated.reason))
    = (kept.source, kept.market, coalesce(kept.timeframe, ''), md5(kept.raw), md5(kept.reason))
  and (repeated.settlement is not null, repeated.quarantined_at, repeated.id)
    > (kept.settlement is not null, kept.quarantined_at, kept.id);

create unique index quarantined_rows_row_key on quarantined_rows (source, market, coalesce(timeframe, ''), md5(raw), md5(reason));
create index idx_quarantined_rows_quarantined_at on quarantined_rows (quarantined_at);
