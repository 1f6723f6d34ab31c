import type { Decimal } from '../market/decimal.ts'
import { type Instant, second, toIso } from '../market/instant.ts'
import type { LatestPrice } from '../store/prices.ts'

export type PriceStatus = Readonly<{
  coinId: string
  symbol: string
  /** The source's time. */
  at: string
  ageSeconds: number
  /** USD. */
  price: Decimal
  /** In percent. */
  change24h: Decimal | null
  volume24h: Decimal | null
  marketCap: Decimal | null
  rank: number | null
}>

export const describePrice = ({ timestamp, ...price }: LatestPrice, now: Instant): PriceStatus => ({
  coinId: price.coinId,
  symbol: price.symbol,
  at: toIso(timestamp),
  ageSeconds: Math.max(0, Math.round((now - timestamp) / second)),
  price: price.price,
  change24h: price.change24h,
  volume24h: price.volume24h,
  marketCap: price.marketCap,
  rank: price.rank,
})
