-- What was accepted or superseded is stored, and is noted as such for the way up. The numbers of open rows go: a row that is
-- asked for again has them again.
comment on column quarantined_rows.settlement is 'NULL: open. loaded: the table has a candle for its open time. withdrawn: its source has none there any more. discarded: settled by hand, and not asked for again.';
update quarantined_rows
set settled_reason = concat_ws(': ', settlement, settled_reason), settlement = 'loaded'
where settlement in ('accepted', 'superseded');
alter table quarantined_rows
  drop constraint quarantined_rows_settlement_check,
  add constraint quarantined_rows_settlement_check check (settlement in ('loaded', 'withdrawn', 'discarded')),
  drop column candle;
drop trigger candle_coverage_whole_candles on candle_coverage;
drop function refuse_partial_candles();
