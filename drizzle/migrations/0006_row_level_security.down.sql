-- The roles stay, without a right in this database: they belong to the server, and other databases may use them.

revoke all on
  users, profiles, trading_accounts, trading_strategies, positions, trades, backtest_results, alerts, notifications,
  api_connections, coins, market_data, ohlcv_data, daily_price_summary, instruments, candle_coverage, candle_revisions,
  quarantined_rows, ingest_runs, request_budget
from beacon_app, beacon_ingest, beacon_readonly, beacon_upkeep;
revoke usage on schema public from beacon_app, beacon_ingest, beacon_readonly, beacon_upkeep;

do $$
declare
  named name;
begin
  foreach named in array array[
    'users', 'profiles', 'trading_accounts', 'trading_strategies', 'positions', 'trades', 'backtest_results', 'alerts',
    'notifications', 'api_connections'
  ]::name[] loop
    execute format('alter table %I no force row level security', named);
    execute format('alter table %I disable row level security', named);
    execute format('drop policy %I on %I', named || '_upkeep', named);
    execute format('drop policy %I on %I', named || '_user_isolation', named);
  end loop;
end $$;
drop policy users_login on users;
drop function current_user_id();
