revoke select (id) on trading_strategies from beacon_upkeep;
revoke select, insert, delete on backtest_results from beacon_upkeep;

alter table candle_revisions drop column id;
