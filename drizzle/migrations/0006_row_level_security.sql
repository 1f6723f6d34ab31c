-- Who may see what. A user's rows are seen and written only by a session that says it acts for that user.
-- Rights are granted on the tables that have names of their own, never on a partition.

-- Roles belong to the server, not to this database: another database, or an administrator, may have made them.
do $$
declare
  wanted name;
  purpose text;
begin
  for wanted, purpose in values
    ('beacon_app', 'Beacon: the hub''s application. Reads the market, and reads and writes the rows of the user it acts for.'),
    ('beacon_ingest', 'Beacon: loads the market tables. Knows no user.'),
    ('beacon_readonly', 'Beacon: analysts. Reads the market tables. Knows no user.'),
    ('beacon_upkeep', 'Beacon: what the daemon does for all users at once, such as encrypting with a new key.')
  loop
    begin
      if not exists (select from pg_roles where rolname = wanted) then
        execute format('create role %I nologin', wanted);
        execute format('comment on role %I is %L', wanted, purpose);
      end if;
      -- To act as one of them, one must belong to it; a superuser may anyway.
      if not (select rolsuper from pg_roles where rolname = current_user) then
        execute format('grant %I to %I', wanted, current_user);
      end if;
    exception
      -- Another database of this server made it in the same moment.
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise exception 'the role % may not make the role %, or act as it: give it CREATEROLE, or let an administrator run "create role % nologin; grant % to %" and try again',
          current_user, wanted, wanted, wanted, current_user;
    end;
  end loop;
end $$;

create function current_user_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.user_id', true), '')::uuid;
comment on function current_user_id() is 'The user this transaction acts for, from app.user_id; NULL when it acts for none.';

-- Of the two kinds of policy, the first is for users. `with check` holds for what is written: no row can be put, or
-- moved, into what belongs to another, and none can refer to what belongs to another.

create policy users_user_isolation on users using (id = current_user_id()) with check (id = current_user_id());

-- Before a login nobody is acting yet: who can name the encrypted address may read the row that bears it.
create policy users_login on users for select
  using (email = any (string_to_array(nullif(current_setting('app.login_email', true), ''), ',')));

create policy profiles_user_isolation on profiles using (id = current_user_id()) with check (id = current_user_id());

create policy trading_accounts_user_isolation on trading_accounts
  using (user_id = current_user_id()) with check (user_id = current_user_id());

create policy trading_strategies_user_isolation on trading_strategies
  using (user_id = current_user_id()) with check (user_id = current_user_id());

create policy positions_user_isolation on positions
  using (account_id in (select id from trading_accounts where user_id = current_user_id()))
  with check (account_id in (select id from trading_accounts where user_id = current_user_id()));

create policy trades_user_isolation on trades
  using (account_id in (select id from trading_accounts where user_id = current_user_id()))
  with check (
    account_id in (select id from trading_accounts where user_id = current_user_id())
    and (strategy_id is null or strategy_id in (select id from trading_strategies where user_id = current_user_id()))
  );

create policy backtest_results_user_isolation on backtest_results
  using (user_id = current_user_id())
  with check (
    user_id = current_user_id()
    and strategy_id in (select id from trading_strategies where user_id = current_user_id())
  );

create policy alerts_user_isolation on alerts
  using (user_id = current_user_id()) with check (user_id = current_user_id());

create policy notifications_user_isolation on notifications
  using (user_id = current_user_id()) with check (user_id = current_user_id());

create policy api_connections_user_isolation on api_connections
  using (user_id = current_user_id()) with check (user_id = current_user_id());

-- The second is for upkeep. It asks who is acting, not who belongs to whom: the owner of the tables belongs to
-- beacon_upkeep, and still sees nothing until it says that it acts as it.
do $$
declare
  named name;
begin
  foreach named in array array[
    'users', 'profiles', 'trading_accounts', 'trading_strategies', 'positions', 'trades', 'backtest_results', 'alerts',
    'notifications', 'api_connections'
  ]::name[] loop
    execute format(
      $policy$create policy %I on %I using (current_user = 'beacon_upkeep') with check (current_user = 'beacon_upkeep')$policy$,
      named || '_upkeep', named
    );
    -- Forced: else it would not hold for the owner of the table.
    execute format('alter table %I enable row level security', named);
    execute format('alter table %I force row level security', named);
  end loop;
end $$;

grant usage on schema public to beacon_app, beacon_ingest, beacon_readonly, beacon_upkeep;

grant select, insert, update, delete on
  users, profiles, trading_accounts, trading_strategies, positions, trades, backtest_results, alerts, notifications,
  api_connections
to beacon_app;

grant select on coins, market_data, ohlcv_data, daily_price_summary to beacon_app, beacon_ingest, beacon_readonly;
grant insert, update on coins, market_data, ohlcv_data to beacon_ingest;
grant select on instruments, candle_coverage, candle_revisions, quarantined_rows, ingest_runs to beacon_readonly;
grant select, insert, update, delete on
  instruments, candle_coverage, candle_revisions, quarantined_rows, ingest_runs, request_budget
to beacon_ingest;

-- What is encrypted is encrypted anew when the key changes; notifications leave the database when they are old.
grant select, update on users, profiles, api_connections to beacon_upkeep;
grant select, delete on notifications to beacon_upkeep;
