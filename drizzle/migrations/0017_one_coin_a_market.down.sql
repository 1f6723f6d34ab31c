alter table listed_markets
  drop column own_base,
  drop column base_name,
  drop column kind;
drop index instruments_market_key;
alter table instruments drop column shares_market;
