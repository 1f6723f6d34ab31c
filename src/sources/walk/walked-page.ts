import type { CandleRow } from '../../market/candle.ts'
import type { Instant } from '../../market/instant.ts'
import type { AlignedRange } from '../../market/range.ts'
import type { AskDeps } from '../ask.ts'

/** One answer of a walk. */
export type WalkedPage = Readonly<{
  rows: readonly CandleRow[]
  /** The part of the range that this answer speaks for: a candle missing here is missing at the source. */
  answered: AlignedRange
  /** The source's clock when it answered. */
  answeredAt: Instant
  /** How many requests it took since the page before. */
  requests: number
}>

export type WalkDeps = AskDeps
