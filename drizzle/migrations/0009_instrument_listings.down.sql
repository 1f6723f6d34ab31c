-- One row for each market is all that there is room for: the life that is followed, or else the last one, stays.
delete from instruments as old using instruments as kept
where (old.coin_id, old.source, old.symbol) = (kept.coin_id, kept.source, kept.symbol)
  and (old.followed_to is null, old.followed_from) < (kept.followed_to is null, kept.followed_from);

drop index instruments_open_key;
alter table instruments
  drop constraint instruments_pkey,
  add constraint instruments_pkey primary key (coin_id, source, symbol),
  drop constraint instruments_listed_check,
  drop constraint instruments_relisted_check,
  drop column listed_from,
  drop column listed_to,
  drop column last_listed_at,
  drop column missing_since,
  drop column halted_since,
  drop column relisted_at;
comment on table instruments is 'Which market on which source stands for a coin. The first by preference that is still followed is read.';
