-- A market lives for a while: it is listed, it ends, and its symbol may come back as something else. Each life is a row of
-- its own, so that a symbol that comes to stand for another coin never joins the candles of the two.

alter table instruments
  add column listed_from timestamp,
  add column listed_to timestamp,
  add column last_listed_at timestamp,
  add column missing_since timestamp,
  add column halted_since timestamp,
  add column relisted_at timestamp,
  add constraint instruments_listed_check check (listed_from < listed_to),
  add constraint instruments_relisted_check check (relisted_at is null or listed_to is not null),
  drop constraint instruments_pkey,
  add constraint instruments_pkey primary key (coin_id, source, symbol, followed_from);

-- Of one market a coin has at most one life that goes on.
create unique index instruments_open_key on instruments (coin_id, source, symbol) where listed_to is null;

comment on table instruments is 'Which market on which source stands for a coin, and from when to when. The first by preference that is still followed is read.';
comment on column instruments.listed_from is 'Earlier candles of this symbol belong to what it stood for before; null where nothing is known of that.';
comment on column instruments.listed_to is 'When the market ended on its source: it has no candle that opens then or later. Null while it lives.';
comment on column instruments.last_listed_at is 'The last look at the listing in which it was there. What was never there is misspelt rather than ended.';
comment on column instruments.missing_since is 'The first look at the listing in which it was not there, while that is not yet believed.';
comment on column instruments.halted_since is 'Since when it is listed without being traded.';
comment on column instruments.relisted_at is 'When its symbol was seen in the listing again after its end: it may be another coin now, and is not followed.';
