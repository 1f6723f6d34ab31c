import type { CandleRow } from '../../market/candle.ts'
import type { Instant } from '../../market/instant.ts'
import type { AlignedRange } from '../../market/range.ts'
import type { AskDeps } from '../ask.ts'

export type WalkedPage = Readonly<{
  rows: readonly CandleRow[]
  /** Candles missing here are absent at the source. */
  answered: AlignedRange
  answeredAt: Instant
  requests: number
}>

export type WalkDeps = AskDeps
