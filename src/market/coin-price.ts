import type { Decimal, DecimalType } from './decimal.ts'
import type { Instant } from './instant.ts'

/** USD and percent; unknown fields are absent. */
export type CoinPrice = Readonly<{
  /** `bitcoin` on CoinGecko, `BTCUSDT` on an exchange. */
  market: string
  timestamp: Instant
  price: Decimal
  marketCap?: Decimal
  volume24h?: Decimal
  change24h?: Decimal
  rank?: number
  circulatingSupply?: Decimal
  maxSupply?: Decimal
  /** Names from the source. */
  coin?: CoinNames
}>

export type CoinNames = Readonly<{ symbol: string; name: string; imageUrl?: string }>

export const coinPriceTypes = {
  price: { precision: 24, scale: 8 },
  marketCap: { precision: 32, scale: 2 },
  volume24h: { precision: 32, scale: 2 },
  change24h: { precision: 10, scale: 2 },
  circulatingSupply: { precision: 30, scale: 8 },
  maxSupply: { precision: 30, scale: 8 },
} as const satisfies Partial<Record<keyof CoinPrice, DecimalType>>

/** Undefined: none; `unreadable`: not a number. */
export type Reading = Decimal | Unreadable | undefined
type Unreadable = Readonly<{ unreadable: string }>

/** Optional: invalid ones do not affect the price. */
export const optionalNumbers = [
  'marketCap',
  'volume24h',
  'change24h',
  'circulatingSupply',
  'maxSupply',
  'rank',
] as const
export type OptionalNumber = (typeof optionalNumbers)[number]

/** Unchecked. */
export type ReadPrice = Readonly<
  {
    market: string
    /** Undefined if unreadable. */
    timestamp: Instant | undefined
    price: Reading
    /** Trades or coins in 24 hours. */
    traded24h?: Reading
    coin?: CoinNames | undefined
  } & { [Name in OptionalNumber]?: Reading }
>

/** `raw`: as in the answer. */
export type CoinPriceRow = Readonly<
  { raw: unknown } & ({ price: ReadPrice } | { flaw: string; market?: string })
>
