import { sql } from 'drizzle-orm'
import { candleMarketOf } from '../../ingest/markets.ts'
import { type Instant, later, plus, second, toIso } from '../../market/instant.ts'
import { candleCount, type Range } from '../../market/range.ts'
import { ceilTo, floorTo, type Timeframe, timeframeMs, timeframes } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import type { Coin } from '../../store/coins.ts'
import { fromMs } from '../../store/multirange.ts'
import type { Database } from '../../store/transaction.ts'

/** How far a series lags: measured in its own candles, so that a day's candle may be hours old and fresh. */
export type Freshness = 'fresh' | 'late' | 'stale' | 'empty'

export type SeriesStatus = Readonly<{
  coinId: string
  /** Of the coin, for people: `BTC`. */
  symbol: string
  source: string
  /** In the source's spelling: `BTCUSDT`. */
  market: string
  timeframe: Timeframe
  lastOpenTime: string | null
  lastCloseTime: string | null
  /** From the close of the last stored candle to now. */
  secondsBehind: number | null
  state: Freshness
  /** The source has answered that there were no trades since the last candle. */
  quiet: boolean
  /** Candles of the kept history that are neither stored nor known to be missing. */
  owedCandles: number
  /** Candles that the kept history has in all. */
  wantedCandles: number
  followedFrom: string
}>

type Followed = Readonly<{
  coin: Coin
  source: string
  market: string
  timeframe: Timeframe
  wanted: Range
}>

/** What a closed candle may take from its close to the table, beside the settle delay. */
const loadingMs = 30 * second

/** One line for each followed coin and configured timeframe, in one query. */
export async function readSeries(
  db: Database,
  settings: Settings,
  coins: readonly Coin[],
  now: Instant,
): Promise<SeriesStatus[]> {
  const followed = followedSeries(settings, coins, now)
  const known = await readKnown(db, followed)
  return followed.map((series) => describe(series, known.get(keyOf(series)), settings, now))
}

function followedSeries(settings: Settings, coins: readonly Coin[], now: Instant): Followed[] {
  return coins.flatMap((coin) => {
    const market = candleMarketOf(coin)
    if (!market) return []
    return timeframes
      .filter(
        (timeframe) => settings.timeframes[timeframe] && market.source.candles.timeframes.includes(timeframe),
      )
      .map((timeframe) => ({
        coin,
        source: market.source.id,
        market: market.symbol,
        timeframe,
        wanted: wantedRange(settings, timeframe, now),
      }))
  })
}

/** The history that the daemon keeps complete by itself, up to the last candle that has had time to arrive. */
function wantedRange({ timeframes: policies, candles }: Settings, timeframe: Timeframe, now: Instant): Range {
  const policy = policies[timeframe]
  const lookBackMs = Math.min(policy?.history ?? 0, policy?.keep ?? Number.POSITIVE_INFINITY)
  const from = ceilTo(timeframe, plus(now, -lookBackMs))
  return { from, to: later(from, floorTo(timeframe, plus(now, -candles.settleDelay - loadingMs))) }
}

type Known = Readonly<{ storedTo: Instant | undefined; quietTo: Instant | undefined; owedMs: number }>

type KnownRow = Readonly<{
  coin_id: string
  timeframe: string
  stored_to_ms: string | null
  quiet_to_ms: string | null
  owed_ms: string | null
}>

async function readKnown(db: Database, followed: readonly Followed[]): Promise<Map<string, Known>> {
  if (followed.length === 0) return new Map()
  const wanted = followed.map(({ coin, timeframe, source, wanted: { from, to } }) => ({
    coin_id: coin.id,
    timeframe,
    source,
    opens_from: toIso(from),
    opens_to: toIso(to),
  }))
  const { rows } = await db.execute<KnownRow>(sql`
    with wanted as (
      select * from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb)
        as series (coin_id text, timeframe text, source text, opens_from timestamp, opens_to timestamp)
    ), known as (
      select wanted.coin_id, wanted.timeframe, opens_from, opens_to,
        max(upper(ranges)) filter (where state = 'stored') as stored_to,
        max(upper(ranges)) filter (where state = 'no-trades' and coverage.source = wanted.source) as quiet_to,
        range_agg(ranges) filter (where state = 'stored' or coverage.source = wanted.source) as settled
      from wanted left join candle_coverage as coverage
        on coverage.coin_id = wanted.coin_id and coverage.timeframe = wanted.timeframe
      group by wanted.coin_id, wanted.timeframe, opens_from, opens_to
    )
    select coin_id, timeframe,
      extract(epoch from stored_to) * 1000 as stored_to_ms,
      extract(epoch from quiet_to) * 1000 as quiet_to_ms,
      (
        select sum(extract(epoch from upper(part) - lower(part))) * 1000
        from unnest(tsmultirange(tsrange(opens_from, opens_to)) - coalesce(settled, '{}')) as part
      ) as owed_ms
    from known`)
  return new Map(
    rows.map((row) => [
      `${row.coin_id} ${row.timeframe}`,
      {
        storedTo: row.stored_to_ms === null ? undefined : fromMs(row.stored_to_ms),
        quietTo: row.quiet_to_ms === null ? undefined : fromMs(row.quiet_to_ms),
        owedMs: Number(row.owed_ms ?? 0),
      },
    ]),
  )
}

const keyOf = ({ coin, timeframe }: Followed): string => `${coin.id} ${timeframe}`

function describe(
  { coin, source, market, timeframe, wanted }: Followed,
  known: Known | undefined,
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
    owedCandles: known ? Math.round(known.owedMs / lengthMs) : wantedCandles,
    wantedCandles,
    followedFrom: toIso(coin.markets.find((one) => one.source === source)?.followedFrom ?? now),
  }
}

type Seen = Readonly<{ lastClose: Instant | undefined; quietTo: Instant | undefined; now: Instant }>

/**
 * Fresh: the last candle is the newest one, or the one before it for a moment. Late: up to five candles behind.
 * A market without trades is fresh as long as its source goes on saying so.
 */
export function freshnessOf(
  { lastClose, quietTo, now }: Seen,
  timeframe: Timeframe,
  { settleDelay, absentAfter }: Settings['candles'],
): Freshness {
  if (lastClose === undefined) return 'empty'
  const lengthMs = timeframeMs[timeframe]
  const freshMs = 1.5 * lengthMs + settleDelay + loadingMs
  if (now - lastClose <= freshMs) return 'fresh'
  // That there were no trades is believed only once the stretch has settled.
  if (quietTo !== undefined && quietTo > lastClose && now - quietTo <= freshMs + absentAfter) return 'fresh'
  return now - lastClose <= 5 * lengthMs ? 'late' : 'stale'
}
