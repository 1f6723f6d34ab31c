-- The last wall behind the check of each answer: a candle opens on the grid of its timeframe, and no number is NaN.
-- The constraint stands on each timeframe's branch, and every leaf below has it. Not only on the four branches that the
-- migrations make: a timeframe that came with the configuration has one too. Its name, such as 15m, is an interval to
-- PostgreSQL as well.

do $$
declare
  branch record;
begin
  for branch in
    select child.relname as name, bound.timeframe[1] as timeframe
    from pg_inherits
    join pg_class as child on child.oid = inhrelid
    cross join lateral regexp_match(
      pg_get_expr(child.relpartbound, child.oid), '^FOR VALUES IN \(''(\d+[mhd])''\)$'
    ) as bound (timeframe)
    where inhparent = 'ohlcv_data'::regclass and bound.timeframe is not null
  loop
    execute format(
      $check$alter table %I add constraint %I check (timestamp = date_bin(%L, timestamp, '1970-01-01'))$check$,
      branch.name, branch.name || '_aligned', branch.timeframe
    );
  end loop;
end $$;

-- NaN is greater than every number: one would spoil every sum and average over its column.
alter table market_data add constraint market_data_numbers check (
  market_cap <> 'NaN' and volume_24h <> 'NaN' and change_24h <> 'NaN' and circulating_supply <> 'NaN' and max_supply <> 'NaN'
);

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
