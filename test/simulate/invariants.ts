import { keptHistory } from '../../src/ingest/kept-history.ts'
import { candleMarketOf } from '../../src/ingest/markets.ts'
import { restoreBeside } from '../../src/lifecycle/archive/restore-archive.ts'
import { compareDecimals, type Decimal } from '../../src/market/decimal.ts'
import { day, hour, type Instant, minute, plus, toInstant, toIso } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { closedCandles } from '../../src/replay/candles.ts'
import { listCoins } from '../../src/store/coins.ts'
import { readMissing } from '../../src/store/coverage/missing-candles.ts'
import { checkDeeply, planDeepCheck } from '../../src/store/digests/deep-check.ts'
import { listArchives } from '../../src/store/lifecycle/archives.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { type Extent, type Simulated, symbols } from './simulation.ts'
import type { World } from './world.ts'

type Timeframe = '1m' | '1h' | '1d'
const kept = { '1m': 3 * day, '1h': 10 * day } as const

/** Everything that must hold on the last day, as sentences about what does not. */
export async function violations(world: World, extent: Extent, simulated: Simulated): Promise<string[]> {
  const end = plus(extent.start, extent.days * day)
  const truth = new Truth(simulated, end)
  const ends = await marketEnds(world)
  return [
    ...simulated.wrong,
    ...(await wrongCandles(world, truth, ends, end)),
    ...(await missingCandles(world, end)),
    ...(await wrongCoverage(world)),
    ...(await wrongRetention(world, extent, end)),
    ...(await wrongArchives(world, truth, ends)),
    ...(await wrongSummaries(world, truth, extent, ends)),
    ...repeatedRequests(world),
    ...(await openFailures(world)),
  ]
}

/** What the exchange has closed, with its revisions. */
class Truth {
  readonly #simulated: Simulated
  readonly #end: Instant

  constructor(simulated: Simulated, end: Instant) {
    this.#simulated = simulated
    this.#end = end
  }

  candles(coinId: string, timeframe: Timeframe, range: Range) {
    const revised = new Map(
      this.#simulated.revisions
        .filter((one) => timeframe === '1h' && one.coinId === coinId)
        .map(({ openTime, volume }) => [openTime, volume]),
    )
    return closedCandles(symbols[coinId] ?? '', timeframe, range, this.#end).map((candle) => ({
      ...candle,
      volume: (revised.get(candle.openTime) ?? candle.volume) as Decimal,
    }))
  }

  lines(coinId: string, timeframe: Timeframe, range: Range): string[] {
    return this.candles(coinId, timeframe, range).map(({ openTime, open, high, low, close, volume }) =>
      [toIso(openTime), open, high, low, close, volume].join(' '),
    )
  }
}

/** When each market ended; what came of it afterwards counts for nothing. */
async function marketEnds({ pool }: World): Promise<Map<string, Instant>> {
  const coins = await listCoins(databaseOf(pool))
  return new Map(
    coins.flatMap((coin) => {
      const listedTo = candleMarketOf(coin)?.listedTo
      return listedTo === undefined ? [] : [[coin.id, listedTo] as const]
    }),
  )
}

const endOf = (ends: Map<string, Instant>, coinId: string, end: Instant): Instant =>
  toInstant(Math.min(end, ends.get(coinId) ?? end))

function differing(what: string, found: readonly string[], wanted: readonly string[]): string[] {
  if (found.join('\n') === wanted.join('\n')) return []
  const [has, wants] = [new Set(found), new Set(wanted)]
  const extra = found.filter((line) => !wants.has(line))
  const lacking = wanted.filter((line) => !has.has(line))
  return [
    `${what}: ${found.length} rows, ${wanted.length} expected; only stored: ${extra.slice(0, 2).join(', ')}; only at the exchange: ${lacking.slice(0, 2).join(', ')}`,
  ]
}

const linesOf = `concat_ws(' ', to_char(timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), open, high, low, close, volume) as line`

async function wrongCandles(
  { pool }: World,
  truth: Truth,
  ends: Map<string, Instant>,
  end: Instant,
): Promise<string[]> {
  const wrong: string[] = []
  for (const coinId of Object.keys(symbols)) {
    const to = endOf(ends, coinId, end)
    const ranges = {
      '1m': { from: plus(end, -kept['1m'] + hour), to: toInstant(Math.min(to, end - 4 * hour)) },
      '1h': { from: floorTo('1h', plus(end, -kept['1h'] + hour)), to: floorTo('1h', plus(to, -hour)) },
      '1d': { from: floorTo('1d', plus(end, -300 * day)), to: floorTo('1d', plus(to, -hour)) },
    }
    for (const timeframe of ['1m', '1h', '1d'] as const) {
      const range = ranges[timeframe]
      if (range.from >= range.to) continue
      const { rows } = await pool.query<{ line: string }>(
        `select ${linesOf} from ohlcv_data
         where coin_id = $1 and timeframe = $2 and timestamp >= $3 and timestamp < $4 order by timestamp`,
        [coinId, timeframe, toIso(range.from), toIso(range.to)],
      )
      const found = rows.map(({ line }) => line)
      wrong.push(...differing(`${coinId} ${timeframe}`, found, truth.lines(coinId, timeframe, range)))
    }
  }
  return wrong
}

async function missingCandles({ context: { pool, settings } }: World, end: Instant): Promise<string[]> {
  const coins = await listCoins(databaseOf(pool))
  const wanted = coins.flatMap((coin) => {
    const market = candleMarketOf(coin)
    if (!market) return []
    return (['1h', '1d'] as const).map((timeframe) => ({
      ...{ coinId: coin.id, timeframe, source: market.source.id },
      // The last ones close as the simulation ends.
      range: keptHistory(settings, market, timeframe, plus(end, timeframe === '1h' ? -hour : -day)),
    }))
  })
  const missing = await readMissing(databaseOf(pool), wanted, 'skip-rejected')
  return missing.flatMap((ranges, index) =>
    ranges.map(
      ({ from, to }) =>
        `${wanted[index]?.coinId} ${wanted[index]?.timeframe} is missing ${toIso(from)} to ${toIso(to)}`,
    ),
  )
}

async function wrongCoverage({ context: { pool, clock } }: World): Promise<string[]> {
  const wrong: string[] = []
  await checkDeeply(pool, await planDeepCheck(pool), {
    signal: new AbortController().signal,
    now: clock.now(),
    onDiscrepancy: (one) => {
      wrong.push(`coverage and rows differ: ${JSON.stringify(one)}`)
    },
    onProgress: () => undefined,
  })
  return wrong
}

/** Retention runs at 00:30: by then each partition that ended `keep` ago is deleted, and no younger one. */
async function wrongRetention({ pool }: World, { start }: Extent, end: Instant): Promise<string[]> {
  const wrong: string[] = []
  for (const timeframe of ['1m', '1h'] as const) {
    const { rows } = await pool.query<{ first: string }>(
      'select min(timestamp)::text as first from ohlcv_data where timeframe = $1',
      [timeframe],
    )
    const first = toInstant(Date.parse(`${rows[0]?.first.replace(' ', 'T')}Z`))
    const lastRun = plus(floorTo('1d', plus(end, -1)), 30 * minute)
    const wanted = floorTo('1d', plus(lastRun, -kept[timeframe]))
    const begun = plus(start, -kept[timeframe])
    if (first !== Math.max(wanted, Math.ceil(begun / hour) * hour) && first !== wanted)
      wrong.push(`the oldest ${timeframe} candle is of ${toIso(first)}, not of ${toIso(wanted)}`)
  }
  return wrong
}

async function wrongArchives(world: World, truth: Truth, ends: Map<string, Instant>): Promise<string[]> {
  const { context, pool } = world
  const wrong: string[] = []
  const archives = await listArchives(databaseOf(pool))
  for (const archive of archives.filter(({ table }) => table.startsWith('ohlcv_data'))) {
    await restoreBeside(context, archive, 'restored_beside')
    for (const coinId of Object.keys(symbols)) {
      const { rows } = await pool.query<{ line: string }>(
        `select ${linesOf} from restored_beside where coin_id = $1 order by timestamp`,
        [coinId],
      )
      const from = toInstant(Date.parse(`${rows[0]?.line.split(' ')[0] ?? ''}`) || 0)
      if (rows.length === 0) continue
      const range = { from: floorTo('1h', from), to: endOf(ends, coinId, plus(floorTo('1d', from), day)) }
      const found = rows.map(({ line }) => line).filter((line) => line < toIso(range.to))
      wrong.push(...differing(`archive ${archive.id} of ${coinId}`, found, truth.lines(coinId, '1h', range)))
    }
    await pool.query('drop table restored_beside')
  }
  return wrong
}

/** Each day again by plain addition: of its hourly candles as long as they are kept, then it is the daily candle. */
async function wrongSummaries(
  { pool }: World,
  truth: Truth,
  { start, days }: Extent,
  ends: Map<string, Instant>,
): Promise<string[]> {
  const { rows } = await pool.query<Record<'coin' | 'day' | 'line', string>>(
    `select coin_id as coin, to_char(day, 'YYYY-MM-DD') as day, concat_ws(' ', open, high, low, close, volume) as line
     from daily_price_summary`,
  )
  const found = new Map(rows.map(({ coin, day: of, line }) => [`${coin} ${of}`, line]))
  const wrong: string[] = []
  for (const coinId of Object.keys(symbols)) {
    // Yesterday's may lack what came after midnight.
    const last = endOf(ends, coinId, plus(start, (days - 1) * day))
    for (let from = start; plus(from, day) <= last; from = plus(from, day)) {
      const range = { from, to: plus(from, day) }
      const hours = truth.candles(coinId, '1h', range)
      const areKept = from >= plus(start, (days - 1) * day - kept['1h'])
      const wanted = areKept && hours.length === 24 ? dayOf(hours) : dayOf(truth.candles(coinId, '1d', range))
      const key = `${coinId} ${toIso(from).slice(0, 10)}`
      if (found.get(key) !== wanted) wrong.push(`summary of ${key}: ${found.get(key)}, not ${wanted}`)
    }
  }
  return wrong
}

type Values = Readonly<Record<'open' | 'high' | 'low' | 'close' | 'volume', Decimal>>

function dayOf(candles: readonly Values[]): string {
  const [first] = candles
  if (!first) return ''
  const high = candles.reduce(
    (best, one) => (compareDecimals(one.high, best) > 0 ? one.high : best),
    first.high,
  )
  const low = candles.reduce((best, one) => (compareDecimals(one.low, best) < 0 ? one.low : best), first.low)
  const units = candles.reduce((sum, { volume }) => sum + BigInt(volume.replace('.', '')), 0n)
  const digits = units.toString().padStart(9, '0')
  const volume = `${digits.slice(0, -8)}.${digits.slice(-8)}`
  return [first.open, high, low, candles.at(-1)?.close, volume].join(' ')
}

/** A candle is requested when it closed, with the two ticks after it, and once more where an answer ended before it. */
const mostRequests = 6

function repeatedRequests({ asked }: World): string[] {
  const counts = new Map<string, number>()
  for (const { symbol, interval, from, to } of asked) {
    if (interval !== '1h') continue
    for (let at = Math.ceil(from / hour) * hour; at < to; at += hour) {
      const key = `${symbol} ${toIso(toInstant(at))}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
  const often = [...counts].filter(([, count]) => count > mostRequests).toSorted(([, a], [, b]) => b - a)
  return often.slice(0, 3).map(([key, count]) => `${key} was requested ${count} times`)
}

async function openFailures({ pool }: World): Promise<string[]> {
  const { rows } = await pool.query<{ job: string; last_error: string }>(
    'select job, last_error from failing_jobs',
  )
  return rows.map(({ job, last_error: error }) => `${job} still fails: ${error}`)
}
