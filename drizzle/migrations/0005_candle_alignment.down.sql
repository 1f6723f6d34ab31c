comment on constraint quarantined_rows_coin_id_fkey on quarantined_rows is null;
comment on constraint candle_revisions_coin_id_fkey on candle_revisions is null;
comment on constraint candle_coverage_coin_id_fkey on candle_coverage is null;
comment on constraint instruments_coin_id_fkey on instruments is null;
comment on constraint ohlcv_data_coin_id_fkey on ohlcv_data is null;
comment on constraint market_data_coin_id_fkey on market_data is null;

alter table ohlcv_data_1d drop constraint ohlcv_data_1d_aligned;
alter table ohlcv_data_1h drop constraint ohlcv_data_1h_aligned;
alter table ohlcv_data_5m drop constraint ohlcv_data_5m_aligned;
alter table ohlcv_data_1m drop constraint ohlcv_data_1m_aligned;
