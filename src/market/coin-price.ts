import type { Decimal, DecimalType } from './decimal.ts'
import type { Instant } from './instant.ts'

/** The price of one coin at one moment: money in USD, change in percent. What the source does not know is absent. */
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
  coin?: CoinNames
}>

export type CoinNames = Readonly<{ symbol: string; name: string; imageUrl?: string }>

/** The columns of `market_data` that hold these numbers. */
export const coinPriceTypes = {
  price: { precision: 24, scale: 8 },
  marketCap: { precision: 32, scale: 2 },
  volume24h: { precision: 32, scale: 2 },
  change24h: { precision: 10, scale: 2 },
  circulatingSupply: { precision: 30, scale: 8 },
  maxSupply: { precision: 30, scale: 8 },
} as const satisfies Partial<Record<keyof CoinPrice, DecimalType>>

/** A field that should hold a number: the number, undefined where there is none, or the text that is not one. */
export type Reading = Decimal | Unreadable | undefined
type Unreadable = Readonly<{ unreadable: string }>

/** The numbers beside a price: each may be wrong or missing without harm to it. */
export const optionalNumbers = [
  'marketCap',
  'volume24h',
  'change24h',
  'circulatingSupply',
  'maxSupply',
  'rank',
] as const
export type OptionalNumber = (typeof optionalNumbers)[number]

/** A price as its source wrote it, unchecked. */
export type ReadPrice = Readonly<
  {
    market: string
    /** Undefined where the answer holds no time that can be read. */
    timestamp: Instant | undefined
    price: Reading
    /** How many trades, or coins, changed hands in the last 24 hours, where the source counts them. */
    traded24h?: Reading
    coin?: CoinNames | undefined
  } & { [Name in OptionalNumber]?: Reading }
>

/** A row of a price answer, or why it cannot be read at all. `raw` is the row as it stood in the answer. */
export type CoinPriceRow = Readonly<
  { raw: unknown } & ({ price: ReadPrice } | { flaw: string; market?: string })
>
