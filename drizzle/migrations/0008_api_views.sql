-- What applications read instead of the tables. A view names its columns: a table may change under it, and whoever reads
-- the view notices nothing. Each runs with the rights of its reader (security_invoker), so the policies of the tables hold.

do $$
begin
  if not has_database_privilege(current_database(), 'create') then
    raise exception 'the login % may not make the schema api: let the owner of the database run "grant create on database % to %" and try again',
      current_user, quote_ident(current_database()), quote_ident(current_user);
  end if;
end $$;

create schema api;
comment on schema api is 'Stable views: applications read these, and the tables below may change.';
grant usage on schema api to beacon_app, beacon_readonly;

create view api.coins with (security_invoker = true) as
select
  id, symbol, name, image_url, description, website, whitepaper, blockchain_type, created_at, updated_at
from public.coins;

create view api.market_data with (security_invoker = true) as
select
  id, coin_id, price, market_cap, volume_24h, change_24h, timestamp, rank, circulating_supply, max_supply
from public.market_data;

create view api.ohlcv_data with (security_invoker = true) as
select
  coin_id, timestamp, timeframe, open, high, low, close, volume
from public.ohlcv_data;

create view api.daily_price_summary with (security_invoker = true) as
select
  coin_id, day, open, high, low, close, volume, candles
from public.daily_price_summary;

create view api.users with (security_invoker = true) as
select
  id, email, created_at, updated_at, last_login, status, tier
from public.users;
comment on view api.users is 'Without the password.';

create view api.profiles with (security_invoker = true) as
select
  id, display_name, avatar_url, created_at, updated_at, preferences
from public.profiles;

create view api.trading_accounts with (security_invoker = true) as
select
  id, user_id, name, balance, initial_balance, currency, created_at, updated_at
from public.trading_accounts;

create view api.positions with (security_invoker = true) as
select
  id, account_id, coin_id, coin_symbol, amount, entry_price, current_price, opened_at, updated_at, stop_loss,
  take_profit
from public.positions;

create view api.trades with (security_invoker = true) as
select
  id, account_id, coin_id, coin_symbol, type, price, amount, fee, total, executed_at, strategy_id, profit_loss
from public.trades;

create view api.trading_strategies with (security_invoker = true) as
select
  id, user_id, name, description, type, timeframe, parameters, assets, created_at, updated_at, is_active, risk_level
from public.trading_strategies;

create view api.backtest_results with (security_invoker = true) as
select
  id, strategy_id, user_id, start_date, end_date, initial_capital, final_capital, returns, win_rate, trades_count,
  max_drawdown, sharpe_ratio, profit_factor, results_data, created_at
from public.backtest_results;

create view api.alerts with (security_invoker = true) as
select
  id, user_id, type, coin_id, coin_symbol, condition, created_at, expires_at, triggered_at, status,
  notification_channels, recurring, note
from public.alerts;

create view api.notifications with (security_invoker = true) as
select
  id, user_id, type, title, message, created_at, read_at, source_id, source_type, priority
from public.notifications;

create view api.api_connections with (security_invoker = true) as
select
  id, user_id, provider, name, created_at, updated_at, permissions, status
from public.api_connections;
comment on view api.api_connections is 'Without what is secret.';

create view api.audit_logs with (security_invoker = true) as
select
  id, table_name, operation, user_id, record_id, old_data, new_data, timestamp
from public.audit_logs;

grant select on api.coins, api.market_data, api.ohlcv_data, api.daily_price_summary to beacon_app, beacon_readonly;
grant select on
  api.users, api.profiles, api.trading_accounts, api.positions, api.trades, api.trading_strategies,
  api.backtest_results, api.alerts, api.notifications, api.api_connections, api.audit_logs
to beacon_app;
