-- Named locks. An advisory lock can be taken by every login that can connect, and the keys in use are shown to all of
-- them by pg_locks: a user of the hub could stop ingestion and maintenance. A row can only be locked by a role that may
-- update it: the owner, and beacon_ingest, which loads candles.

create table locks (
  name varchar(300) primary key
);
comment on table locks is 'Named locks: a transaction that holds the row FOR UPDATE has the lock. The roles of users and analysts have no right on it.';
grant select, insert, update on locks to beacon_ingest;

-- A lock on one of these tables needs a right that only their owner has: no other login can pretend to be a daemon.
create table worker_presence (
  queue_engine varchar(20) primary key
);
create table scheduler_presence (
  queue_engine varchar(20) primary key
);
create table web_presence (
  queue_engine varchar(20) primary key
);
comment on table worker_presence is 'Always empty. A process with workers holds a lock on the table while it lives, which pg_locks shows: ROW SHARE where the queue is on Redis, ROW EXCLUSIVE where it is on PostgreSQL. Neither waits for the other.';
comment on table scheduler_presence is 'The same of processes that keep the schedule.';
comment on table web_presence is 'The same of processes that serve the page.';

-- The hub registers users as beacon_app, which may not see the locks. It can lock only the addresses that it can encrypt.
-- The row is inserted and deleted again: a second transaction waits at the unique index, and no address stays behind.
create function lock_addresses(forms text[]) returns void
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.locks (name)
  select 'address ' || form from (select distinct unnest(forms) as form) as given order by form;
  delete from public.locks where name in (select 'address ' || form from unnest(forms) as form);
end $$;
comment on function lock_addresses(text[]) is 'Locks these encrypted addresses until the transaction ends; waits for whoever has one of them.';
revoke execute on function lock_addresses(text[]) from public;
grant execute on function lock_addresses(text[]) to beacon_app;
