-- What is no price stays in quarantine.
alter table market_data
  drop constraint market_data_price_check,
  add constraint market_data_price_check check (price >= 0 and price <> 'NaN');
