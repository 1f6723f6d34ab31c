import { keptHistory } from '../ingest/kept-history.ts'
import { candleMarketOf } from '../ingest/markets.ts'
import { type Instant, plus, second, toIso } from '../market/instant.ts'
import { type AlignedRange, candleCount } from '../market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../market/timeframe.ts'
import type { AnySourceId } from '../settings/source-ids.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'
import { keyOf, readSeriesCoverage, type SeriesCoverage } from '../store/coverage/series.ts'
import type { WantedSeries } from '../store/coverage/wanted-series.ts'
import type { Database } from '../store/transaction.ts'

/** Measured in candles of the timeframe. */
export type Freshness = 'fresh' | 'late' | 'stale' | 'empty'

export type SeriesStatus = Readonly<{
  coinId: string
  /** `BTC` */
  symbol: string
  source: AnySourceId
  /** In the source's spelling: `BTCUSDT`. */
  market: string
  timeframe: Timeframe
  lastOpenTime: string | null
  lastCloseTime: string | null
  /** Since the last candle's close. */
  secondsBehind: number | null
  state: Freshness
  /** No trades since, by its source. */
  quiet: boolean
  /** Missing in the kept history. */
  missingCandles: number
  /** In the kept history. */
  wantedCandles: number
  trackedFrom: string
}>

type Tracked = Readonly<{
  coin: Coin
  source: AnySourceId
  market: string
  timeframe: Timeframe
  wanted: AlignedRange
}>

/** Besides the settle delay. */
const loadingMs = 30 * second

/** In one query. */
export async function readSeries(
  db: Database,
  settings: Settings,
  coins: readonly Coin[],
  now: Instant,
): Promise<SeriesStatus[]> {
  const tracked = trackedSeries(settings, coins, now)
  const known = await readSeriesCoverage(db, tracked.map(asWanted))
  return tracked.map((series) => describe(series, known.get(keyOf(asWanted(series))), settings, now))
}

function trackedSeries(settings: Settings, coins: readonly Coin[], now: Instant): Tracked[] {
  return coins.flatMap((coin) => {
    const market = candleMarketOf(coin)
    // Ended markets get no new candles.
    if (!market || market.listedTo !== undefined) return []
    return timeframes
      .filter(
        (timeframe) => settings.timeframes[timeframe] && market.source.candles.timeframes.includes(timeframe),
      )
      .map((timeframe) => ({
        coin,
        source: market.source.id,
        market: market.symbol,
        timeframe,
        // Just closed candles are not missing.
        wanted: keptHistory(settings, market, timeframe, now, loadingMs),
      }))
  })
}

const asWanted = ({ coin, timeframe, source, wanted }: Tracked): WantedSeries => ({
  coinId: coin.id,
  timeframe,
  source,
  range: wanted,
})

function describe(
  { coin, source, market, timeframe, wanted }: Tracked,
  known: SeriesCoverage | undefined,
  settings: Settings,
  now: Instant,
): SeriesStatus {
  const lengthMs = timeframeMs[timeframe]
  const lastClose = known?.storedTo
  const quietTo = known?.quietTo
  const quiet = lastClose !== undefined && quietTo !== undefined && quietTo > lastClose
  const wantedCandles = candleCount(wanted, timeframe)
  return {
    coinId: coin.id,
    symbol: coin.symbol,
    source,
    market,
    timeframe,
    lastOpenTime: lastClose === undefined ? null : toIso(plus(lastClose, -lengthMs)),
    lastCloseTime: lastClose === undefined ? null : toIso(lastClose),
    secondsBehind: lastClose === undefined ? null : Math.round((now - lastClose) / second),
    state: freshnessOf({ lastClose, quietTo, now }, timeframe, settings.candles),
    quiet,
    missingCandles: known ? Math.round(known.missingMs / lengthMs) : wantedCandles,
    wantedCandles,
    trackedFrom: toIso(coin.markets.find((one) => one.source === source)?.trackedFrom ?? now),
  }
}

type Seen = Readonly<{ lastClose: Instant | undefined; quietTo: Instant | undefined; now: Instant }>

/** Fresh: at most one candle behind for a moment; late: up to five. A market known to have no trades is fresh. */
export function freshnessOf(
  { lastClose, quietTo, now }: Seen,
  timeframe: Timeframe,
  { settleDelay, absentAfter }: Settings['candles'],
): Freshness {
  if (lastClose === undefined) return 'empty'
  const lengthMs = timeframeMs[timeframe]
  const freshMs = 1.5 * lengthMs + settleDelay + loadingMs
  if (now - lastClose <= freshMs) return 'fresh'
  // Absence counts once confirmed.
  if (quietTo !== undefined && quietTo > lastClose && now - quietTo <= freshMs + absentAfter) return 'fresh'
  return now - lastClose <= 5 * lengthMs ? 'late' : 'stale'
}
