// State of each day: complete, partial, no trades, queued, missing.
import type { CoverageAnswer } from '../../api.ts'
import { count, day } from '../elements/words.ts'

export type Coverage = CoverageAnswer
export type CoinDays = Coverage['coins'][number]

/** Shapes accompany colours. */
export const kinds = {
  complete: { word: 'complete', variable: '--green-strong' },
  partial: { word: 'partial', variable: '--amber-strong' },
  absent: { word: 'no trades', variable: '--quiet' },
  queued: { word: 'queued', variable: '--accent' },
  missing: { word: 'missing', variable: '--red-strong' },
  none: { word: 'not kept', variable: '--grey-soft' },
} as const
export type Kind = keyof typeof kinds

export const dayMs = 86_400_000

export type Day = Readonly<{
  kind: Kind
  stored: number
  absent: number
  refused: number
  missing: number
  /** Possible by now. */
  closed: number
}>

const at = (values: readonly number[], index: number): number => values[index] ?? 0

/** State and candle counts of a day. */
export function dayOf(coverage: Coverage, coin: CoinDays, index: number): Day {
  const { candlesOfDay } = coverage
  const stored = at(coin.stored, index)
  const absent = Math.min(at(coin.absent, index), candlesOfDay - stored)
  const refused = Math.min(at(coin.refused, index), candlesOfDay - stored - absent)
  const wanted = at(coin.wanted, index)
  const known = stored + absent
  const missing = Math.max(0, wanted - known)
  const isToday = index === coverage.days - 1
  const closed = isToday && wanted > 0 ? Math.max(wanted, known) : candlesOfDay
  return { kind: kindOf(), stored, absent, refused, missing, closed }

  function kindOf(): Kind {
    if (stored === 0 && wanted === 0) return absent > 0 ? 'absent' : 'none'
    if (known >= candlesOfDay || (wanted > 0 && missing === 0)) return stored > 0 ? 'complete' : 'absent'
    if (at(coin.queued, index) > 0) return 'queued'
    return stored > 0 ? 'partial' : 'missing'
  }
}

export const dateOf = (coverage: Coverage, index: number): string =>
  day(new Date(Date.parse(coverage.from) + index * dayMs).toISOString())

export function messageOf(coverage: Coverage, coin: CoinDays, index: number): string {
  const { kind, stored, absent, refused, missing, closed } = dayOf(coverage, coin, index)
  const isUnfinished = closed < coverage.candlesOfDay
  const parts = [
    `${count(stored)} of ${count(closed)} ${isUnfinished ? 'closed candles' : ''} stored`.replace('  ', ' '),
  ]
  if (absent > 0) parts.push(`${count(absent)} without trades`)
  if (refused > 0) parts.push(`${count(refused)} in quarantine`)
  if (missing > 0) parts.push(`${count(missing)} ${kind === 'queued' ? 'queued' : 'missing'}`)
  const word = kind === 'complete' && isUnfinished ? 'complete so far' : kinds[kind].word
  return `${dateOf(coverage, index)}, ${word}\n${parts.join(', ')}`
}

export function summaryOf(coverage: Coverage, coin: CoinDays): string {
  const found = new Map<Kind, number>()
  for (let index = 0; index < coverage.days; index += 1) {
    const { kind } = dayOf(coverage, coin, index)
    found.set(kind, (found.get(kind) ?? 0) + 1)
  }
  const parts = (Object.keys(kinds) as Kind[]).flatMap((kind) => {
    const days = found.get(kind)
    return days ? [`${days} ${kinds[kind].word}`] : []
  })
  return `${coin.coinId} ${coverage.timeframe}, days: ${parts.join(', ')}. Arrow keys go from day to day.`
}

export const tipOf = (coverage: Coverage, coin: CoinDays, index: number): string =>
  `${coin.symbol} ${coverage.timeframe} · ${messageOf(coverage, coin, index)}`
