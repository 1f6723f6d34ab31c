-- Who may see what. A user's rows are seen and written only by a session that says it acts for that user.
-- Rights are granted on the tables that have names of their own, never on a partition.

-- Up to version 14 everybody was allowed to make tables in public, and a database that came from there still allows it.
revoke create on schema public from public;

-- Roles belong to the server, not to this database: another database, or an administrator, may have made them.
do $$
declare
  -- Since version 16 one may belong to a role without being allowed to act as it.
  acting constant text := case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end;
  names constant name[] := array['beacon_app', 'beacon_ingest', 'beacon_readonly', 'beacon_upkeep'];
  wanted name;
  purpose text;
  remedy text;
begin
  for wanted, purpose in values
    ('beacon_app', 'Beacon: the hub''s application. Reads the market, and reads and writes the rows of the user it acts for.'),
    ('beacon_ingest', 'Beacon: loads the market tables. Knows no user.'),
    ('beacon_readonly', 'Beacon: analysts. Reads the market tables. Knows no user.'),
    ('beacon_upkeep', 'Beacon: what the daemon does for all users at once, such as encrypting with a new key.')
  loop
    -- The owner of the tables may do more than any of the four is meant to.
    if wanted = current_user then
      raise exception 'the role % would own the tables that it is given rights to: migrate with a login of another name', wanted;
    end if;
    loop
      begin
        if to_regrole(quote_ident(wanted)) is null then
          execute format('create role %I nologin', wanted);
          execute format('comment on role %I is %L', wanted, purpose);
        end if;
        if not pg_has_role(current_user, wanted, acting) then
          execute format('grant %I to %I', wanted, current_user);
        end if;
        exit;
      exception
        -- Another database of this server did the same in the same moment: look again what is left to do.
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then
          select string_agg(statement, '; ') into remedy
          from unnest(names) as role,
            lateral (values
              (case when to_regrole(quote_ident(role)) is null then format('create role %I nologin', role) end),
              (case
                when to_regrole(quote_ident(role)) is null or not pg_has_role(current_user, role, acting)
                then format('grant %I to %I', role, current_user)
              end)
            ) as needed (statement);
          raise exception 'the login % may not make the roles it needs, or act as them: let an administrator run "%" and try again',
            current_user, remedy;
      end;
    end loop;
    if exists (select from pg_roles where rolname = wanted and (rolsuper or rolbypassrls)) then
      raise exception 'no policy binds the role %: let an administrator run "alter role % nosuperuser nobypassrls" and try again',
        wanted, wanted;
    end if;
  end loop;
end $$;

-- Everybody may call it: it tells a session what the session itself has said.
create function current_user_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.user_id', true), '')::uuid;
comment on function current_user_id() is 'The user this transaction acts for, from app.user_id; NULL when it acts for none.';

-- Of the two kinds of policy, the first is for users. `with check` holds for what is written: no row can be put, or
-- moved, into what belongs to another, and none can refer to what belongs to another.
-- Each policy is for one role only. Policies that hold for the same role are joined by OR, and no index answers an OR of
-- a column with something that is no column.

create policy users_user_isolation on users to beacon_app
  using (id = current_user_id()) with check (id = current_user_id());

-- Before a login nobody is acting yet: who can name the encrypted address may read the row that bears it.
create policy users_login on users for select to beacon_app
  using (email = any (string_to_array(nullif(current_setting('app.login_email', true), ''), ',')));

create policy profiles_user_isolation on profiles to beacon_app
  using (id = current_user_id()) with check (id = current_user_id());

create policy trading_accounts_user_isolation on trading_accounts to beacon_app
  using (user_id = current_user_id()) with check (user_id = current_user_id());

create policy trading_strategies_user_isolation on trading_strategies to beacon_app
  using (user_id = current_user_id()) with check (user_id = current_user_id());

-- The user's accounts as an array are found once, and then looked up in the index; IN would read the whole table.

create policy positions_user_isolation on positions to beacon_app
  using (account_id = any (array(select id from trading_accounts where user_id = current_user_id())))
  with check (account_id = any (array(select id from trading_accounts where user_id = current_user_id())));

create policy trades_user_isolation on trades to beacon_app
  using (account_id = any (array(select id from trading_accounts where user_id = current_user_id())))
  with check (
    account_id = any (array(select id from trading_accounts where user_id = current_user_id()))
    and (
      strategy_id is null
      or strategy_id = any (array(select id from trading_strategies where user_id = current_user_id()))
    )
  );

create policy backtest_results_user_isolation on backtest_results to beacon_app
  using (user_id = current_user_id())
  with check (
    user_id = current_user_id()
    and strategy_id = any (array(select id from trading_strategies where user_id = current_user_id()))
  );

create policy alerts_user_isolation on alerts to beacon_app
  using (user_id = current_user_id()) with check (user_id = current_user_id());

create policy notifications_user_isolation on notifications to beacon_app
  using (user_id = current_user_id()) with check (user_id = current_user_id());

create policy api_connections_user_isolation on api_connections to beacon_app
  using (user_id = current_user_id()) with check (user_id = current_user_id());

-- The second is for upkeep. It also asks who is acting, not only who belongs to whom: the owner of the tables belongs to
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
      $policy$create policy %I on %I to beacon_upkeep using (current_user = 'beacon_upkeep') with check (current_user = 'beacon_upkeep')$policy$,
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
grant select on instruments, candle_coverage, candle_revisions, quarantined_rows, ingest_runs to beacon_ingest, beacon_readonly;

grant insert, update on coins, market_data, ohlcv_data, instruments, candle_coverage, ingest_runs to beacon_ingest;
grant insert on candle_revisions, quarantined_rows to beacon_ingest;
grant select, insert, update, delete on request_budget to beacon_ingest;

-- What is encrypted is encrypted anew when the key changes, and upkeep sees nothing else of a user; notifications leave
-- the database when they are old.
grant select (id, email), update (email) on users to beacon_upkeep;
grant select (id, display_name, avatar_url), update (display_name, avatar_url) on profiles to beacon_upkeep;
grant select (id, api_key, api_secret, passphrase), update (api_key, api_secret, passphrase) on api_connections
to beacon_upkeep;
grant select, delete on notifications to beacon_upkeep;
