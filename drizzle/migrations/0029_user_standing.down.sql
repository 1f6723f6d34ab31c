revoke select (status, tier), update (status, tier, updated_at) on users from beacon_upkeep;
revoke insert (id, email, password, created_at, updated_at, last_login) on users from beacon_app;
revoke update (id, email, password, updated_at, last_login) on users from beacon_app;
grant insert, update on users to beacon_app;

comment on column users.tier is null;
alter table users
  alter column status drop default,
  alter column tier drop default;
