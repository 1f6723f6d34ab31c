alter table incidents drop column seen_at;
comment on column request_budget.expire is null;
update request_budget set expire = expire / 1000 where key like 'beacon:stop:%';
alter table request_budget drop column written_at;
