drop table ohlcv_data;
drop table market_data;
drop table coins;
