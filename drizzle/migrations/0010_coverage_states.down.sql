delete from candle_coverage where state in ('provisional', 'recheck-after-day', 'recheck-after-month');
alter table candle_coverage
  drop constraint candle_coverage_state_check,
  add constraint candle_coverage_state_check check (state in ('stored', 'no-trades', 'refused'));
comment on table candle_coverage is 'What is known of each series, as ranges of open times, written in the transaction that writes the candles. Owed is what is wanted and has no state.';
comment on column candle_coverage.state is 'stored: in ohlcv_data. no-trades: the source answered without a candle. refused: quarantined.';
