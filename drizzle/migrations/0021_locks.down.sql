drop function lock_addresses(text[]);
drop table worker_presence;
drop table locks;
