import { sql } from 'drizzle-orm'

/**
 * Positions of the acting user with currency, price and `priced_at` (NULL for the position's own price). market_data is
 * in USD, so other currencies use current_price. The user is a condition too, as policies do not bind superusers. The
 * redundant `between` makes the planner expect few rows; else it would scan all coins' prices backwards.
 */
export const pricedPositions = sql`(
  select position.*, account.currency, coalesce(market.price, position.current_price) as price,
    market.timestamp as priced_at
  from api_v1.trading_accounts as account
  join api_v1.positions as position on position.account_id = account.id
  left join lateral (
    select price, timestamp
    from api_v1.market_data
    where coin_id = position.coin_id and coin_id between position.coin_id and position.coin_id
      and account.currency = 'USD'
    order by timestamp desc
    limit 1
  ) as market on true
  where account.user_id = current_user_id()
)`
