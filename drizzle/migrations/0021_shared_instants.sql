-- Times that several processes share are counted by the database's clock, and heal when that is set back.

alter table request_budget add column written_at bigint;
-- What stops a source was kept in milliseconds, by the clock of the process that was told of it.
update request_budget set expire = expire * 1000 where key like 'beacon:stop:%';
comment on column request_budget.expire is 'When the time runs out: microseconds of the database''s clock.';
comment on column request_budget.written_at is 'When expire was written, in the same unit: where that lies in the future, the clock was set back since.';

alter table incidents add column seen_at timestamp;
comment on column incidents.seen_at is 'When it was seen last, by the database''s clock: what a process sees of itself is resolved once none has seen it for a minute.';
