import type { Decimal, DecimalType } from './decimal.ts'
import type { Instant } from './instant.ts'

/** What a source says of one coin at one moment: money in USD, change in percent. What it does not know is absent. */
export type CoinPrice = Readonly<{
  /** The coin in the source's own spelling: `bitcoin` for CoinGecko, `BTCUSDT` for an exchange. */
  market: string
  timestamp: Instant
  price: Decimal
  marketCap?: Decimal
  volume24h?: Decimal
  change24h?: Decimal
  rank?: number
  circulatingSupply?: Decimal
  maxSupply?: Decimal
  /** What the source knows of the coin itself. */
  coin?: Readonly<{ symbol: string; name: string; imageUrl?: string }>
}>

/** The columns of `market_data` that hold these numbers. */
export const coinPriceTypes = {
  price: { precision: 24, scale: 8 },
  marketCap: { precision: 32, scale: 2 },
  volume24h: { precision: 32, scale: 2 },
  change24h: { precision: 10, scale: 2 },
  circulatingSupply: { precision: 30, scale: 8 },
  maxSupply: { precision: 30, scale: 8 },
} as const satisfies Partial<Record<keyof CoinPrice, DecimalType>>

/** A row of a price answer: a price, or what could not be read as one. `raw` is the row as it stood in the answer. */
export type CoinPriceRow = Readonly<
  { raw: unknown } & ({ price: CoinPrice } | { flaw: string; market?: string })
>
