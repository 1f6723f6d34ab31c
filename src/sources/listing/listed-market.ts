import type { Instant } from '../../market/instant.ts'
import type { OtherKind } from './other-kind.ts'

/** A market as its source lists it. */
export type ListedMarket = Readonly<{
  symbol: string
  /** The two assets in the usual spelling (BTC, USDT), whatever the source calls them. */
  base: string
  quote: string
  /** What the source itself calls the base, where that is not the usual ticker. */
  ownBase?: string
  /** The coin that the source may mean by this ticker, where elsewhere the ticker is another coin's. */
  baseMayBe?: string
  /** The full name of the base, where the source tells: of two coins with one ticker it differs. */
  baseName?: string
  /** Absent where the base is a coin. */
  kind?: OtherKind
  /** What else the source calls it: a question by one of these is answered too. */
  alsoCalled?: readonly string[]
  trading: boolean
  /** Where the source tells. */
  listedAt?: Instant
  delistedAt?: Instant
}>
