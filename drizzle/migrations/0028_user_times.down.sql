-- What was repaired stays so: the former values are in the audit log.
alter table users drop constraint users_times;
alter table profiles drop constraint profiles_times;
alter table trading_accounts drop constraint trading_accounts_times;
alter table trading_strategies drop constraint trading_strategies_times;
alter table positions drop constraint positions_times;
alter table trades drop constraint trades_times;
alter table backtest_results drop constraint backtest_results_times;
alter table alerts drop constraint alerts_times;
alter table notifications drop constraint notifications_times;
alter table api_connections drop constraint api_connections_times;
