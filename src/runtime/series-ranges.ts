import { once } from 'node:events'
import { type AlignedRange, intersect } from '../market/range.ts'
import type { Series } from '../store/coverage.ts'

type Claim = Readonly<{ range: AlignedRange; ended: Promise<void> }>

/** Serializes work on overlapping ranges of a series, so that later work finds candles already stored. */
export class SeriesRanges {
  readonly #claims = new Map<string, Set<Claim>>()

  /** Rejects with the signal's reason if aborted while waiting. */
  async run<T>(series: Series, range: AlignedRange, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const key = [series.source, series.coinId, series.timeframe].join(' ')
    const claims = this.#claims.get(key) ?? new Set()
    this.#claims.set(key, claims)
    const earlier = [...claims].filter((other) => intersect(other.range, range)).map(({ ended }) => ended)
    let end = () => {}
    const claim = { range, ended: new Promise<void>((resolve) => (end = resolve)) }
    claims.add(claim)
    try {
      if (earlier.length > 0) await untilAll(earlier, signal)
      return await work()
    } finally {
      claims.delete(claim)
      if (claims.size === 0) this.#claims.delete(key)
      end()
    }
  }
}

async function untilAll(ends: readonly Promise<void>[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const stop = new AbortController()
  try {
    await Promise.race([Promise.all(ends), once(signal, 'abort', { signal: stop.signal })])
    signal.throwIfAborted()
  } finally {
    stop.abort()
  }
}
