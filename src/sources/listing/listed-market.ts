import type { Instant } from '../../market/instant.ts'
import type { OtherKind } from './other-kind.ts'

export type ListedMarket = Readonly<{
  symbol: string
  /** In the usual spelling (BTC, USDT). */
  base: string
  quote: string
  /** The source's own ticker, if different. */
  ownBase?: string
  /** Another coin the ticker may mean here. */
  baseMayBe?: string
  /** Full name; distinguishes coins with one ticker. */
  baseName?: string
  /** Absent for coins. */
  kind?: OtherKind
  /** Other names the source accepts. */
  alsoCalled?: readonly string[]
  trading: boolean
  listedAt?: Instant
  delistedAt?: Instant
}>
