-- A candle opens on the grid of its timeframe: the last wall behind the check of each answer.
-- The constraint stands on each timeframe's branch, and every leaf below has it.

alter table ohlcv_data_1m add constraint ohlcv_data_1m_aligned check (timestamp = date_bin('1 minute', timestamp, '1970-01-01'));
alter table ohlcv_data_5m add constraint ohlcv_data_5m_aligned check (timestamp = date_bin('5 minutes', timestamp, '1970-01-01'));
alter table ohlcv_data_1h add constraint ohlcv_data_1h_aligned check (timestamp = date_bin('1 hour', timestamp, '1970-01-01'));
alter table ohlcv_data_1d add constraint ohlcv_data_1d_aligned check (timestamp = date_bin('1 day', timestamp, '1970-01-01'));

comment on constraint market_data_coin_id_fkey on market_data is
  'ON DELETE NO ACTION: a coin with prices is not deleted; it is no longer followed.';
comment on constraint ohlcv_data_coin_id_fkey on ohlcv_data is
  'ON DELETE NO ACTION: a coin with candles is not deleted; it is no longer followed.';
comment on constraint instruments_coin_id_fkey on instruments is 'ON DELETE CASCADE: a market stands for its coin.';
comment on constraint candle_coverage_coin_id_fkey on candle_coverage is
  'ON DELETE CASCADE: a coin that can be deleted has no candles, so there is nothing to know of them.';
comment on constraint candle_revisions_coin_id_fkey on candle_revisions is
  'ON DELETE CASCADE: a coin that can be deleted has no candles left.';
comment on constraint quarantined_rows_coin_id_fkey on quarantined_rows is
  'ON DELETE CASCADE: what was refused for a coin goes with it.';
