-- What the ledger wants to see once more: candles that were not yet seen unchanged after their close, and absences that
-- were only asked about when they were young. A set of what is still to be looked at stays small, whatever the history.

alter table candle_coverage
  drop constraint candle_coverage_state_check,
  add constraint candle_coverage_state_check check (
    state in ('stored', 'no-trades', 'refused', 'provisional', 'recheck-after-day', 'recheck-after-month')
  );

-- How old the candles were when their source was asked, nobody wrote down: each is asked for once more.
insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
select coin_id, timeframe, source, later, range_agg(ranges), max(updated_at)
from candle_coverage, (values ('recheck-after-day'), ('recheck-after-month')) as looks (later)
where state in ('no-trades', 'refused') and not isempty(ranges)
group by coin_id, timeframe, source, later;

comment on table candle_coverage is 'What is known of each series, as ranges of open times, written in the transaction that writes the candles. Owed is what is wanted and neither stored, no-trades nor refused.';
comment on column candle_coverage.state is 'stored: in ohlcv_data. no-trades: the source answered without a candle. refused: quarantined. provisional, a part of stored: not yet seen unchanged after its close. recheck-after-day and recheck-after-month, parts of no-trades and refused: not asked about since the candles were so old.';
