-- Every time that a user's application writes is a date of our age. infinity, -infinity and years before Christ are
-- timestamps to PostgreSQL and none to most programs: one such value stopped the archiving of everybody's notifications.
-- What is there is repaired: a column that may be NULL becomes NULL, any other the nearest time that is allowed. The audit
-- log keeps the former value, as of any update.

do $$
declare
  named name;
  repairs text;
  wrong text;
  allowed text;
begin
  foreach named in array array[
    'users', 'profiles', 'trading_accounts', 'trading_strategies', 'positions', 'trades', 'backtest_results', 'alerts',
    'notifications', 'api_connections'
  ]::name[] loop
    select
      string_agg(
        format(
          case when attnotnull
            then '%1$I = least(greatest(%1$I, timestamp ''2000-01-01''), timestamp ''2199-12-31 23:59:59.999999'')'
            else '%1$I = case when %1$I >= ''2000-01-01'' and %1$I < ''2200-01-01'' then %1$I end'
          end, attname),
        ', ' order by attnum),
      string_agg(format('%1$I < ''2000-01-01'' or %1$I >= ''2200-01-01''', attname), ' or ' order by attnum),
      string_agg(format('%1$I >= ''2000-01-01'' and %1$I < ''2200-01-01''', attname), ' and ' order by attnum)
    into repairs, wrong, allowed
    from pg_attribute
    where attrelid = named::regclass and atttypid = 'timestamp'::regtype and attnum > 0 and not attisdropped;
    -- Else the rows would be closed to the owner of the table, as whom this runs. Nobody sees it: the transaction holds
    -- the table's strongest lock.
    execute format('alter table %I no force row level security', named);
    execute format('update %I set %s where %s', named, repairs, wrong);
    execute format('alter table %I force row level security', named);
    execute format('alter table %I add constraint %I check (%s)', named, named || '_times', allowed);
  end loop;
end $$;
