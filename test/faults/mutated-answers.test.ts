import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { checkPrices } from '../../src/market/coin-price-check.ts'
import { hour } from '../../src/market/instant.ts'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { sources } from '../../src/sources/catalog.ts'
import { at } from '../sources/recorded.ts'
import { recordings } from '../sources/recordings.ts'
import { type Mutation, mutate, mutation } from './mutations.ts'

const runs = Number(process.env.PROPERTY_RUNS ?? 100)
const seed = Number(process.env.PROPERTY_SEED ?? randomInt(2 ** 31))
const answeredAt = at('2024-03-01T12:00Z')

/** The rows that are accepted of an answer; none where it is rejected with a fault. Any other error is a bug. */
function acceptedOf<T>(read: () => T[]): T[] {
  try {
    return read()
  } catch (error) {
    if (error instanceof Fault) return []
    throw error
  }
}

/** Whatever is changed in the answer, what is read of it then was in it before. */
function expectSubset(
  body: string,
  read: (body: string) => string[],
  known: ReadonlySet<string> = new Set(read(body)),
): void {
  expect(known.size).toBeGreaterThan(0)
  const holds = (one: Mutation) => {
    const mutated = mutate(body, one)
    const invented = acceptedOf(() => read(mutated)).filter((row) => !known.has(row))
    expect(invented).toEqual([])
  }
  fc.assert(fc.property(mutation, holds), { numRuns: runs, seed })
}

const withCandles = sourceIds.filter((id) => recordings[id]?.candles && sources[id].candles)
const withPrices = sourceIds.filter((id) => recordings[id]?.prices && sources[id].prices)

describe('the candles of an answer that was damaged', () => {
  test.for(withCandles)('%s returns the rows of a changed answer, or a fault, never a wrong row', (id) => {
    process.stderr.write(`again with the same changes: PROPERTY_SEED=${seed} PROPERTY_RUNS=${runs}\n`)
    const { candles } = sources[id]
    const known = recordings[id]?.candles
    if (!candles || !known) throw new Error(`${id} has no recorded candles`)
    const { range, timeframe } = known.query
    expectSubset(known.body, (body) => {
      const rows = candles.parse(body, known.query).filter((row): row is CandleRow => !('quiet' in row))
      const { candles: accepted } = checkCandles(rows, { range, timeframe, now: known.query.asOf })
      return accepted.map((candle) => JSON.stringify(candle))
    })
  })
})

describe('the prices of an answer that was damaged', () => {
  test.for(withPrices)('%s returns the prices of a changed answer, or a fault, never a wrong one', (id) => {
    const { prices } = sources[id]
    const known = recordings[id]?.prices
    if (!prices || !known) throw new Error(`${id} has no recorded prices`)
    const textOf = ({ market, price }: Readonly<{ market: string; price: unknown }>) =>
      // The table's eight decimals.
      JSON.stringify([market, Number(price).toFixed(8)])
    const written = prices
      .parse(known.body, answeredAt, known.markets)
      .flatMap((row) => ('price' in row ? [row.price] : []))
    const markets = new Set(written.map(({ market }) => market))
    const read = (body: string) => {
      const rows = prices.parse(body, answeredAt, known.markets)
      const checked = checkPrices(rows, { now: at('2030-01-01'), staleAfterMs: 40 * 366 * 24 * hour })
      const accepted = checked.flatMap((one) => (one.kind === 'accepted' ? [one.price] : []))
      // A name that is no market's is nobody's price.
      return accepted.filter(({ market }) => markets.has(market)).map(textOf)
    }
    expectSubset(known.body, read, new Set(written.map(textOf)))
  })
})
