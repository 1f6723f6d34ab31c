drop function lock_addresses(text[]);
drop table web_presence;
drop table scheduler_presence;
drop table worker_presence;
drop table locks;
