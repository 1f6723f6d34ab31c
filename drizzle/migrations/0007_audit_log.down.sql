do $$
declare
  named name;
begin
  foreach named in array array[
    'users', 'profiles', 'trading_accounts', 'trading_strategies', 'positions', 'trades', 'backtest_results', 'alerts',
    'notifications', 'api_connections'
  ]::name[] loop
    execute format('drop trigger audit_truncate on %I', named);
    execute format('drop trigger audit_row_write on %I', named);
  end loop;
end $$;
drop function audit_truncate();
drop function audit_row_write();
drop table audit_logs;
drop function refuse_change();
