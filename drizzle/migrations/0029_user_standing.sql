-- A user's tier and status are decided about the user, not by the user: the application may read both and write neither.
-- New users start as active, and in the free tier.

alter table users
  alter column status set default 'active',
  alter column tier set default 'free';
comment on column users.tier is 'The subscription. As status, set by beacon_upkeep, and not by the application.';

revoke insert, update on users from beacon_app;
grant insert (id, email, password, created_at, updated_at, last_login) on users to beacon_app;
grant update (id, email, password, updated_at, last_login) on users to beacon_app;
grant select (status, tier), update (status, tier, updated_at) on users to beacon_upkeep;
