comment on constraint quarantined_rows_coin_id_fkey on quarantined_rows is null;
comment on constraint candle_revisions_coin_id_fkey on candle_revisions is null;
comment on constraint candle_coverage_coin_id_fkey on candle_coverage is null;
comment on constraint instruments_coin_id_fkey on instruments is null;
comment on constraint ohlcv_data_coin_id_fkey on ohlcv_data is null;
comment on constraint market_data_coin_id_fkey on market_data is null;

alter table market_data drop constraint market_data_numbers;

do $$
declare
  branch name;
begin
  for branch in
    select child.relname
    from pg_inherits
    join pg_class as child on child.oid = inhrelid
    join pg_constraint on conrelid = child.oid and conname = child.relname || '_aligned'
    where inhparent = 'ohlcv_data'::regclass
  loop
    execute format('alter table %I drop constraint %I', branch, branch || '_aligned');
  end loop;
end $$;
