import type { FastifyInstance } from 'fastify'
import type { Pool } from 'pg'
import { z } from 'zod'
import { findGaps } from '../ingest/gaps.ts'
import { keptHistory } from '../ingest/kept-history.ts'
import { candleMarketOf, sourcesInUse } from '../ingest/markets.ts'
import { day, type Instant, minute, plus, second, toIso } from '../market/instant.ts'
import { type AlignedRange, candleCount, candleFrom, intersect, type Range } from '../market/range.ts'
import { ceilTo, floorTo, plusCandles, type Timeframe } from '../market/timeframe.ts'
import type { Engine } from '../queue/engine.ts'
import type { AnyJob } from '../queue/job.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { sharedFor } from '../runtime/share.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import { coinId as coin } from '../settings/schema.ts'
import { queueOfSource } from '../settings/source-ids.ts'
import type { Settings } from '../settings.ts'
import { describeAlert } from '../status/alerts.ts'
import { readDatabaseStatus } from '../status/database.ts'
import { readMaintenance, readNextRetention } from '../status/maintenance.ts'
import { readQueuedDays } from '../status/queued-days.ts'
import { readSources } from '../status/sources.ts'
import { readCandlePoints } from '../store/candles/candle-points.ts'
import { type Coin, listCoins } from '../store/coins.ts'
import { candlesOfDay, noCoverage, readCoverageDays } from '../store/coverage/days.ts'
import { listIncidents } from '../store/incidents.ts'
import { databaseOf } from '../store/transaction.ts'
import { date, rangeOf, readQuery, timeframe, trackedCoin } from './query.ts'
import { readRunList, readRunPage } from './run-api.ts'
import { readMarks, readSeriesPage } from './series-api.ts'

type Deps = Readonly<{
  settings: Settings
  pool: Pool
  clock: Clock
  engine: Engine
  log: Log
  jobs: readonly AnyJob[]
}>

const queueLimitMs = 3 * second
const mostPoints = 2_000

/** What is answered at an address, to a query that anybody may have written. */
export type Api = Readonly<Record<`/api/${string}`, (query: unknown) => Promise<unknown>>>

/** Used by the page and by scripts; instants are ISO, UTC. */
export function openApi(deps: Deps): Api {
  const { pool, clock } = deps
  return {
    '/api/coverage': (query) => coverage(deps, query),
    '/api/gaps': (query) => gaps(deps, query),
    '/api/candles': (query) => candles(deps, query),
    '/api/series': (query) => readSeriesPage(deps, query),
    '/api/marks': (query) => readMarks(deps, query),
    '/api/runs': (query) => readRunList(deps, query),
    '/api/run': (query) => readRunPage(deps, query),
    '/api/alerts': async () => ({
      alerts: (await listIncidents(databaseOf(pool), plus(clock.now(), -90 * day), 100)).map(describeAlert),
    }),
    // Cached for all open pages.
    '/api/sources': sharedFor(2 * second, async () => {
      const now = clock.now()
      return { generatedAt: toIso(now), sources: await readSources(deps, now) }
    }),
    '/api/database': sharedFor(20 * second, () => readDatabaseStatus(deps)),
    '/api/maintenance': sharedFor(20 * second, () => readMaintenance(deps)),
    '/api/retention': sharedFor(5 * minute, () => readNextRetention(deps)),
  }
}

export function serveApi(app: FastifyInstance, api: Api): void {
  for (const [path, answer] of Object.entries(api)) app.get(path, ({ query }) => answer(query))
}

async function gaps({ pool, settings, clock }: Deps, query: unknown) {
  const asked = readQuery(z.strictObject({ coin, timeframe, from: date, to: date }), query)
  const coins = [await trackedCoin(pool, asked.coin)]
  const range = rangeOf(asked, clock.now(), day)
  const found = await findGaps(pool, settings, coins, [asked.timeframe], range, clock.now())
  return {
    gaps: found.map(({ range: { from, to }, ...gap }) => ({ ...gap, from: toIso(from), to: toIso(to) })),
  }
}

async function candles({ pool, clock }: Deps, query: unknown) {
  const points = z
    .string()
    .refine((text) => /^\d{2,4}$/.test(text) && Number(text) >= 10 && Number(text) <= mostPoints, {
      error: `is not a whole number from 10 to ${mostPoints}`,
    })
    .transform(Number)
    .default(mostPoints)
  const asked = readQuery(z.strictObject({ coin, timeframe, from: date, to: date, points }), query)
  const { id: coinId } = await trackedCoin(pool, asked.coin)
  const range = rangeOf(asked, clock.now(), day)
  const series = { coinId, timeframe: asked.timeframe }
  const found = await readCandlePoints(databaseOf(pool), series, range, asked.points)
  return {
    pointSeconds: found.pointMs / second,
    /** In a complete point. */
    candlesOfPoint: found.candlesOfPoint,
    candles: found.points.map(({ openTime, ...point }) => ({ openTime: toIso(openTime), ...point })),
  }
}

/** Arrays have one number per day from `from`. */
async function coverage(deps: Deps, query: unknown) {
  const { pool, settings, clock } = deps
  const asked = readQuery(z.strictObject({ timeframe, from: date, to: date }), query)
  const { from, to } = rangeOf(asked, clock.now(), 365 * day)
  const range = {
    from: floorTo('1d', from),
    to: ceilTo('1d', to),
  }
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  const days = (range.to - range.from) / day
  const found = await readCoverageDays(
    db,
    coins.map(({ id }) => id),
    asked.timeframe,
    range,
  )
  const queued = await queuedDays(deps, coins, asked.timeframe, range)
  return {
    timeframe: asked.timeframe,
    from: toIso(range.from),
    days,
    candlesOfDay: candlesOfDay(asked.timeframe),
    coins: coins.map((one) => ({
      coinId: one.id,
      symbol: one.symbol,
      ...(found.get(one.id) ?? noCoverage(days)),
      /** 1: a backfill is queued or running. */
      queued: queued.get(one.id) ?? new Array<number>(days).fill(0),
      /** Candles the daemon keeps complete. */
      wanted: wantedDays(settings, one, asked.timeframe, range, clock.now()),
    })),
  }
}

/** The page works without the queue. */
async function queuedDays(
  { engine, log }: Deps,
  coins: readonly Coin[],
  timeframe: Timeframe,
  range: Range,
): Promise<ReadonlyMap<string, number[]>> {
  const queues = sourcesInUse(coins).map(({ source }) => queueOfSource(source.id))
  try {
    const found = readQueuedDays(engine, queues, timeframe, range)
    return await within(queueLimitMs, found, 'the queue did not answer in time')
  } catch (error) {
    log.warn('coverage.queue-unavailable', { reason: reasonOf(error) })
    return new Map()
  }
}

function wantedDays(
  settings: Settings,
  coin: Coin,
  timeframe: Timeframe,
  range: AlignedRange,
  now: Instant,
): number[] {
  const wanted = new Array<number>((range.to - range.from) / day).fill(0)
  const market = candleMarketOf(coin)
  const kept = market && intersect(keptHistory(settings, market, timeframe, now), range)
  if (!kept) return wanted
  for (let at = floorTo('1d', kept.from); at < kept.to; at = plusCandles(at, 1, '1d')) {
    const part = intersect(kept, candleFrom(at, '1d'))
    wanted[(at - range.from) / day] = part ? candleCount(part, timeframe) : 0
  }
  return wanted
}

export type CoverageAnswer = Awaited<ReturnType<typeof coverage>>
export type GapsAnswer = Awaited<ReturnType<typeof gaps>>
export type CandlesAnswer = Awaited<ReturnType<typeof candles>>
