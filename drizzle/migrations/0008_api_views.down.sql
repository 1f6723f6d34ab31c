-- Each by its name: what somebody else put into the schema is not dropped with it.
drop view
  api.coins, api.market_data, api.ohlcv_data, api.daily_price_summary, api.users, api.profiles,
  api.trading_accounts, api.positions, api.trades, api.trading_strategies, api.backtest_results,
  api.alerts, api.notifications, api.api_connections, api.audit_logs;
drop schema api;
