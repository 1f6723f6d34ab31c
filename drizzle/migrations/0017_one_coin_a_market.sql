-- One market is one coin's. Its spellings are one market: case and separators do not count, nor do Kraken's prefixes.
alter table instruments add column shares_market boolean not null default false;
comment on column instruments.shares_market is 'Another coin tracked this market first, from before one market was one coin''s: remove one of the two.';

-- Where two coins track one market already, both go on: which of them is right, only a person knows. `beacon coins list`
-- and the doctor name them, and no other coin joins them.
update instruments set shares_market = true
from (
  select coin_id, source, symbol, followed_from,
    row_number() over (
      partition by source, case source
        when 'kraken' then regexp_replace(upper(translate(symbol, '-_/:', '')), '^X([A-Z]{3})[XZ]([A-Z]{3})$', '\1\2')
        else upper(translate(symbol, '-_/:', ''))
      end
      order by followed_from, coin_id, symbol
    ) as place
  from instruments where followed_to is null and listed_to is null
) as tracked
where (instruments.coin_id, instruments.source, instruments.symbol, instruments.followed_from)
    = (tracked.coin_id, tracked.source, tracked.symbol, tracked.followed_from)
  and tracked.place > 1;

create unique index instruments_market_key on instruments (source, (
  case source
    when 'kraken' then regexp_replace(upper(translate(symbol, '-_/:', '')), '^X([A-Z]{3})[XZ]([A-Z]{3})$', '\1\2')
    else upper(translate(symbol, '-_/:', ''))
  end
)) where followed_to is null and listed_to is null and not shares_market;

alter table listed_markets
  add column own_base varchar(50),
  add column base_name varchar(200),
  add column kind varchar(50);
comment on column listed_markets.own_base is 'What the source itself calls the base, where that is not the usual ticker.';
comment on column listed_markets.base_name is 'The full name of the base, where the source tells: of two coins with one ticker it differs.';
comment on column listed_markets.kind is 'What the base is where it is no coin: a tokenised share, a leveraged token.';
