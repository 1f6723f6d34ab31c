import type { Pool } from 'pg'
import { earlier, type Instant, later, plus } from '../market/instant.ts'
import { type AlignedRange, alignTo, candleCount, intersect, type Range, subtract } from '../market/range.ts'
import { type AlignedInstant, floorTo, type Timeframe } from '../market/timeframe.ts'
import type { AnySourceId } from '../settings/source-ids.ts'
import type { Settings } from '../settings.ts'
import { type Coin, listCoins } from '../store/coins.ts'
import { readSharedSilence } from '../store/coverage/series.ts'
import { type CoverageRange, readCoverage, readFirstStored, type Series } from '../store/coverage.ts'
import { findObstacles, type Obstacle } from '../store/partitions/obstacles.ts'
import { candleTable } from '../store/partitions.ts'
import { readDiscarded } from '../store/quarantine/discarded.ts'
import { readUptime } from '../store/runs/ingest-uptime.ts'
import { type Database, databaseOf } from '../store/transaction.ts'
import {
  causesOfAbsence,
  causesOfRejection,
  causesOfSilence,
  downtimeOf,
  type Evidence,
  type GapCause,
  subtractAll,
} from './gaps/causes.ts'
import { finalClose, keptHistory, limitsOf } from './kept-history.ts'
import { type CandleMarket, candleMarketOf } from './markets.ts'
import { readPastRetention } from './past-retention.ts'

export type Gap = Readonly<{
  coinId: string
  timeframe: Timeframe
  source: AnySourceId
  range: AlignedRange
  candles: number
  cause: GapCause
  /** Obstacle and remedy, if the cause is not enough. */
  detail?: string
}>

/** Missing candles in the range, or in the kept history. Unavailable history is reported if the range includes it. */
export async function findGaps(
  pool: Pool,
  settings: Settings,
  coins: readonly Coin[],
  timeframes: readonly Timeframe[],
  range: Range | undefined,
  now: Instant,
): Promise<Gap[]> {
  const db = databaseOf(pool)
  const tracked = (await listCoins(db)).flatMap((coin) => candleMarketOf(coin) ?? [])
  const obstaclesOf = obstacleReader(db, settings)
  const gaps: Gap[] = []
  for (const coin of coins) {
    const market = candleMarketOf(coin)
    if (!market) continue
    const others = tracked
      .filter(({ source, coinId }) => source === market.source && coinId !== coin.id)
      .map(({ coinId }) => coinId)
    for (const timeframe of timeframes) {
      const wanted = closedPart(settings, market, timeframe, range, now)
      const series = { coinId: coin.id, timeframe, source: market.source.id }
      const known = await readCoverage(db, series, wanted)
      // Another source's absence does not count.
      const coverage = known.filter(({ state, source }) => state === 'stored' || source === series.source)
      const absentBefore = floorTo(timeframe, plus(now, -settings.candles.absentAfter))
      const firstStored = await readFirstStored(db, series)
      const obstacles =
        unexplainedIn(wanted, coverage).length === 0 ? [] : await obstaclesOf(timeframe, wanted)
      const evidence = {
        ...limitsOf(market, timeframe, now),
        ...(await gather(db, { market, series, others }, coverage, wanted)),
        pastRetention: await readPastRetention(db, settings, timeframe, unexplainedIn(wanted, coverage), now),
        unplaceable: obstacles.map((obstacle) => alignTo(timeframe, obstacle.range)),
      }
      const missing = gapsOf(wanted, coverage, timeframe, absentBefore, firstStored, evidence)
      gaps.push(...missing.map((gap) => ({ ...series, ...gap, ...detailOf(gap, obstacles) })))
    }
  }
  return gaps
}

const unexplainedIn = (wanted: AlignedRange, coverage: readonly CoverageRange[]): AlignedRange[] =>
  subtract(
    wanted,
    coverage.map(({ range }) => range),
  )

type ObstacleReader = (timeframe: Timeframe, range: Range) => Promise<readonly Obstacle[]>

/** Cached: most series share a range. */
function obstacleReader(db: Database, settings: Settings): ObstacleReader {
  const found = new Map<string, Promise<readonly Obstacle[]>>()
  return (timeframe, range) => {
    const key = `${timeframe} ${range.from} ${range.to}`
    const table = candleTable(timeframe, settings.timeframes[timeframe]?.partition ?? 'month')
    const obstacles = found.get(key) ?? findObstacles(db, table, [range])
    found.set(key, obstacles)
    return obstacles
  }
}

function detailOf({ cause, range }: Pick<Gap, 'cause' | 'range'>, obstacles: readonly Obstacle[]) {
  if (cause !== 'no-partition') return {}
  const inTheWay = obstacles.filter((obstacle) => intersect(obstacle.range, range) !== undefined)
  return { detail: [...new Set(inTheWay.map(({ fault }) => fault.message))].join('; ') }
}

type Subject = Readonly<{ market: CandleMarket; series: Series; others: readonly string[] }>

/** Queries other markets and runs only if a gap needs them. */
async function gather(
  db: Database,
  { market: { trackedFrom }, series, others }: Subject,
  coverage: readonly CoverageRange[],
  wanted: AlignedRange,
): Promise<Evidence> {
  const isAbsent = coverage.some(({ state }) => state === 'no-trades')
  const isRejected = coverage.some(({ state }) => state === 'refused')
  const unexplained = unexplainedIn(wanted, coverage)
  const { timeframe } = series
  const sharedSilence = isAbsent ? await readSharedSilence(db, series, others, wanted) : []
  const discarded = isRejected ? await readDiscarded(db, series, wanted) : []
  const known = { sharedSilence, discarded }
  if (unexplained.every(({ to }) => to <= trackedFrom)) return known
  const { recordedFrom, up } = await readUptime(db, series, wanted)
  const onGrid = up.map((range) => alignTo(timeframe, range))
  const since = recordedFrom === undefined ? undefined : floorTo(timeframe, recordedFrom)
  return { ...known, downtime: downtimeOf(wanted, floorTo(timeframe, trackedFrom), since, onGrid) }
}

function closedPart(
  settings: Settings,
  market: CandleMarket,
  timeframe: Timeframe,
  range: Range | undefined,
  now: Instant,
): AlignedRange {
  if (range === undefined) return keptHistory(settings, market, timeframe, now)
  const { from, to } = alignTo(timeframe, range)
  return { from, to: later(from, earlier(to, finalClose(settings, timeframe, now))) }
}

/** Ranges of `wanted` not stored, by cause, ascending. `firstStored` is of the whole series. Pure. */
export function gapsOf(
  wanted: AlignedRange,
  coverage: readonly CoverageRange[],
  timeframe: Timeframe,
  absentBefore: AlignedInstant,
  firstStored: AlignedInstant | undefined,
  evidence: Evidence = {},
): Omit<Gap, 'coinId' | 'timeframe' | 'source'>[] {
  const inState = (state: CoverageRange['state']) =>
    coverage.filter((known) => known.state === state).map(({ range }) => range)
  const stored = inState('stored')
  const unexplained = unexplainedIn(wanted, coverage)
  const late = unexplained.filter(
    (range) => range.to > absentBefore && candleCount(range, timeframe) <= longestLate,
  )
  return [
    ...causesOfRejection(subtractAll(inState('refused'), stored), evidence),
    ...causesOfAbsence(subtractAll(inState('no-trades'), stored), firstStored, evidence),
    ...causesOfSilence(unexplained, late, evidence),
  ]
    .map(({ cause, range }) => ({ cause, range, candles: candleCount(range, timeframe) }))
    .sort((a, b) => a.range.from - b.range.from)
}

const longestLate = 5
