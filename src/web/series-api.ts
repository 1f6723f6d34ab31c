import type { Pool } from 'pg'
import { z } from 'zod'
import { findGaps } from '../ingest/gaps.ts'
import { candleMarketOf } from '../ingest/markets.ts'
import { day, toIso } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import { coinId as coin } from '../settings/schema.ts'
import type { Settings } from '../settings.ts'
import { readMonths } from '../status/coverage-months.ts'
import { describeRun } from '../status/runs.ts'
import { readSeries } from '../status/series.ts'
import { readRevisions } from '../store/candles/revisions.ts'
import { listQuarantined } from '../store/quarantine.ts'
import { listRunsOfSeries } from '../store/runs/of-series.ts'
import { databaseOf } from '../store/transaction.ts'
import { date, rangeOf, readQuery, timeframe, trackedCoin } from './query.ts'

type Deps = Readonly<{ settings: Settings; pool: Pool; clock: Clock }>

const shownRuns = 15
const mostMarks = 2_000

/** What the page of a series shows beside its candles. */
export async function readSeriesPage({ settings, pool, clock }: Deps, query: unknown) {
  const asked = readQuery(z.strictObject({ coin, timeframe }), query)
  const tracked = await trackedCoin(pool, asked.coin)
  const now = clock.now()
  const db = databaseOf(pool)
  const market = candleMarketOf(tracked)
  const series = { coinId: tracked.id, timeframe: asked.timeframe }
  const [all, months, runs] = await Promise.all([
    readSeries(db, settings, [tracked], now),
    readMonths(db, settings, tracked, asked.timeframe, now),
    listRunsOfSeries(db, series, market?.source.id, shownRuns),
  ])
  return {
    generatedAt: toIso(now),
    coin: { id: tracked.id, symbol: tracked.symbol, name: tracked.name },
    timeframes: all.map((one) => one.timeframe),
    /** Undefined where the coin has no market with candles of that timeframe. */
    series: all.find((one) => one.timeframe === asked.timeframe),
    market: market && {
      source: market.source.id,
      symbol: market.symbol,
      ended: market.listedTo !== undefined,
    },
    /** The newest first. */
    months: months.toReversed(),
    runs: runs.map(describeRun),
  }
}

/** What a chart marks: where candles are missing and why, which were revised, and which rows are in quarantine. */
export async function readMarks({ settings, pool, clock }: Deps, query: unknown) {
  const asked = readQuery(z.strictObject({ coin, timeframe, from: date, to: date }), query)
  const tracked = await trackedCoin(pool, asked.coin)
  const range = rangeOf(asked, clock.now(), day)
  const db = databaseOf(pool)
  const series = { coinId: tracked.id, timeframe: asked.timeframe }
  const [gaps, revisions, quarantined] = await Promise.all([
    findGaps(pool, settings, [tracked], [asked.timeframe], range, clock.now()),
    readRevisions(db, series, range, mostMarks),
    listQuarantined(db, { ...series, range, state: 'open' }, mostMarks),
  ])
  return {
    // The newest of many: they are the ones in sight.
    gaps: gaps.slice(-mostMarks).map(({ range: { from, to }, cause, candles }) => ({
      from: toIso(from),
      to: toIso(to),
      cause,
      candles,
    })),
    revisions: revisions.map(({ openTime, revisedAt, old }) => ({
      openTime: toIso(openTime),
      revisedAt: toIso(revisedAt),
      oldClose: old.close,
    })),
    quarantined: quarantined.rows.flatMap(({ id, openTime, reason }) =>
      openTime === undefined ? [] : [{ id, openTime: toIso(openTime), reason }],
    ),
  }
}

export type SeriesAnswer = Awaited<ReturnType<typeof readSeriesPage>>
export type MarksAnswer = Awaited<ReturnType<typeof readMarks>>
