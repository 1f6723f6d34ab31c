drop view api.market_data_daily;
drop index idx_quarantined_rows_quarantined_at;
drop index idx_candle_revisions_revised_at;
drop table expiring_partitions;
drop table market_data_daily;
