import { sql } from 'drizzle-orm'

/**
 * The positions of the acting user as a subquery, each with its account's currency, the price it is valued at and since
 * when that price holds (`priced_at`; NULL where it is the one that stands in the position).
 *
 * Prices of market_data are in USD, and no rate to another currency is stored: a position of an account in another
 * currency is valued at its own current_price, and so is one of a coin without prices. The user is named here as well as
 * in the policies, which do not bind a superuser.
 *
 * `between` says nothing that `=` does not say, but the planner takes the two for independent and expects hardly a row.
 * Else, with few coins, it would walk back through the prices of all of them until it meets one of the coin, and through
 * the whole table for a coin that has none.
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
