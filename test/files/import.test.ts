import { expect } from 'vitest'
import { Aborted } from '../../src/fault.ts'
import { planFile } from '../../src/files/import/import-plan.ts'
import { hour } from '../../src/market/instant.ts'
import {
  aFile,
  aRequest,
  binanceLines,
  first,
  hours,
  importFile,
  linesOf,
  now,
  storedLines,
  test,
} from './importing.ts'

const candles = hours(30)
const name = 'ETHUSDT-1h-2024-03.csv'

const coverageOf = async (pool: Parameters<typeof storedLines>[0], coinId: string): Promise<string[]> => {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', source, state, ranges) as line from candle_coverage
     where coin_id = $1 and not isempty(ranges) order by state`,
    [coinId],
  )
  return rows.map(({ line }) => line)
}

test('an import covers its candles, records the file, and changes nothing when it is repeated', async ({
  pool,
  folder,
  importing,
  coin,
}) => {
  const path = await aFile(folder, name, binanceLines([...candles.slice(0, 10), ...candles.slice(20)], 'ms'))
  const imported = { received: 20, new: 20, revised: 0, unchanged: 0, quarantined: 0, kept: 0 }
  expect(await importFile(importing, aRequest(), path)).toEqual(imported)
  const coverage = await coverageOf(pool, coin.id)
  // What a file leaves out stays missing: it cannot show that there is no candle.
  expect(coverage).toEqual([
    'binance stored {["2024-03-01 00:00:00","2024-03-01 10:00:00"),["2024-03-01 20:00:00","2024-03-02 06:00:00")}',
  ])
  expect(await importFile(importing, aRequest(), path)).toEqual({ ...imported, new: 0, unchanged: 20 })
  expect(await coverageOf(pool, coin.id)).toEqual(coverage)
  const { rows } = await pool.query(
    `select job, status, payload ->> 'file' as file, length(payload ->> 'sha256') as digits, payload ->> 'from' as "from",
       outcome ->> 'new' as new from ingest_runs where payload ->> 'coinId' = $1 order by started_at, outcome ->> 'new' desc`,
    [coin.id],
  )
  const run = { job: 'import', status: 'done', file: name, digits: 64, from: '2024-03-01T00:00:00.000Z' }
  expect(rows).toEqual([
    { ...run, new: '20' },
    { ...run, new: '0' },
  ])
})

test('a candle that differs from the stored one is kept as it is, and replaced only on demand', async ({
  pool,
  folder,
  importing,
  coin,
}) => {
  await importFile(importing, aRequest(), await aFile(folder, name, binanceLines(candles.slice(0, 20), 'ms')))
  const changed = candles.map((candle, index) =>
    index === 5 ? { ...candle, values: candle.values.with(4, '7') } : candle,
  )
  const path = await aFile(folder, name, binanceLines(changed, 'ms'))
  const { series } = await planFile(importing, aRequest(), path)
  expect(series).toMatchObject([
    {
      new: 10,
      unchanged: 19,
      differing: 1,
      differences: [{ stored: { volume: '5.12500000' }, given: { openTime: first + 5 * hour, volume: '7' } }],
    },
  ])
  expect(await importFile(importing, aRequest(), path)).toMatchObject({
    new: 10,
    revised: 0,
    unchanged: 19,
    kept: 1,
  })
  expect(await storedLines(pool, coin.id)).toEqual(linesOf(candles))
  expect(await importFile(importing, aRequest(), path, { mayReplace: true })).toMatchObject({
    revised: 1,
    unchanged: 29,
    kept: 0,
  })
  expect(await storedLines(pool, coin.id)).toEqual(linesOf(changed))
  const { rows } = await pool.query(
    `select candle_revisions.old_volume, ingest_runs.job from candle_revisions join ingest_runs on ingest_runs.id = run_id
     where coin_id = $1`,
    [coin.id],
  )
  expect(rows).toEqual([{ old_volume: '5.12500000', job: 'import' }])
})

test('bad rows are quarantined, open candles ignored, and rows that disagree are rejected together', async ({
  pool,
  folder,
  importing,
  coin,
}) => {
  const open = hours(1, now - (now % hour))
  const bad = candles.map((candle, index) =>
    index === 3
      ? { ...candle, values: candle.values.with(1, '1') }
      : index === 4
        ? { ...candle, time: candle.time + 7 }
        : candle,
  )
  const twin = { ...(candles[20] ?? open[0]), values: ['120.25', '130.5', '110', '121', '1'] }
  const rows = [...bad.slice(0, 21), twin as (typeof bad)[number], ...bad.slice(21), ...open]
  const path = await aFile(folder, name, binanceLines(rows, 'ms'))
  expect(await importFile(importing, aRequest(), path)).toMatchObject({ new: 27, quarantined: 4 })
  expect(await importFile(importing, aRequest(), path)).toMatchObject({
    new: 0,
    unchanged: 27,
    quarantined: 4,
  })
  const expected = linesOf(candles.filter((_, index) => ![3, 4, 20].includes(index)))
  expect(await storedLines(pool, coin.id)).toEqual(expected)
  const { rows: kept } = await pool.query(
    `select reason from quarantined_rows where coin_id = $1 order by timestamp`,
    [coin.id],
  )
  expect(kept.map(({ reason }) => reason)).toEqual([
    'open 103.25 is above high 1',
    expect.stringContaining('not on the 1h grid'),
    'the answer holds two different rows for this open time',
    'the answer holds two different rows for this open time',
  ])
})

test('candles of a time in which the symbol was of another coin are left out', async ({
  pool,
  folder,
  importing,
  coin,
}) => {
  const markets = coin.markets.map((market) => ({
    ...market,
    listedFrom: (first + 10 * hour) as typeof first,
  }))
  const deps = { ...importing, coins: [{ ...coin, markets }] }
  const path = await aFile(folder, name, binanceLines(candles, 'ms'))
  const { series } = await planFile(deps, aRequest(), path)
  expect(series).toMatchObject([{ foreign: 10, new: 20 }])
  await importFile(deps, aRequest(), path)
  expect(await storedLines(pool, coin.id)).toEqual(linesOf(candles.slice(10)))
})

test('an import that was stopped continues with the same command', async ({
  pool,
  folder,
  importing,
  coin,
}) => {
  const many = hours(25_000, first - 26_000 * hour)
  const path = await aFile(
    folder,
    'many.csv',
    [
      'timestamp,open,high,low,close,volume',
      ...many.map(({ time, values }) => [time, ...values].join(',')),
    ].join('\n'),
  )
  const request = aRequest({ coin, timeframe: '1h' })
  const planned = await planFile(importing, request, path)
  expect(planned.series).toMatchObject([{ new: 25_000, expiring: expect.any(Number) }])
  const stop = new AbortController()
  const { loadFile } = await import('../../src/files/import/load-file.ts')
  const loading = { ...importing, partitions: new Map(), clock: { now: () => now }, signal: stop.signal }
  const stopped = loadFile(loading, planned, { mayReplace: false, onProgress: () => stop.abort() })
  await expect(stopped).rejects.toThrow(Aborted)
  expect(await storedLines(pool, coin.id)).toHaveLength(20_000)
  expect(await importFile(importing, request, path)).toMatchObject({
    new: 5_000,
    unchanged: 20_000,
    kept: 0,
  })
  expect(await storedLines(pool, coin.id)).toEqual(linesOf(many))
})
