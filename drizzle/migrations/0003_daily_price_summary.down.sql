drop materialized view daily_price_summary;
