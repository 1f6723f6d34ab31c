drop table archive_checks;
alter table archives drop column counted;
drop table archive_digests;
drop table candle_digests;
