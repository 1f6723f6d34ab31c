import { Fault, RateLimited, Unavailable, UnknownMarket } from '../../fault.ts'
import { openFleet } from '../../fleet.ts'
import type { HttpClient } from '../../http/request.ts'
import { type CandleMarket, candleMarketOf } from '../../ingest/markets.ts'
import { type PriceMarket, priceMarketsOf } from '../../ingest/prices/price-sources.ts'
import { second } from '../../market/instant.ts'
import { floorTo, plusCandles } from '../../market/timeframe.ts'
import { askForCandles, type ListingSource } from '../../sources/ask.ts'
import { toHttpRequest } from '../../sources/source.ts'
import { counted } from '../../status/words.ts'
import { type Coin, listCoins } from '../../store/coins.ts'
import { readClockSkewMs } from '../../store/database-clock.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, type Deps, error, type Finding, warning } from './check.ts'

/** Our clock, the database's and the exchanges' agree. */
export const clocks: Check = {
  name: 'clocks',
  run: async (deps) => {
    const { pool, clock, settings } = deps
    const db = databaseOf(pool)
    const skewMs = await readClockSkewMs(db, clock)
    const ofDatabase = skewFindings("the database's", skewMs, settings.monitoring.clockSkew)
    const probes = probesFor(await listCoins(db))
    if (probes.length === 0) return ofDatabase
    return [...ofDatabase, ...(await ofExchanges(deps, probes))]
  },
}

/** Skipped if the budget is unavailable. */
async function ofExchanges(deps: Deps, probes: readonly Probe[][]): Promise<Finding[]> {
  try {
    const { context } = await openFleet({ ...deps, database: deps }, 0)
    const asked = await Promise.all(probes.map((ofSource) => askSource(deps, context.http, ofSource)))
    return asked.flat()
  } catch (failure) {
    if (!(failure instanceof Unavailable) || deps.signal.aborted) throw failure
    return [
      error(
        `No exchange was asked for its time: ${failure.message}.`,
        'Correct that, then run: npx beacon doctor',
      ),
    ]
  }
}

function skewFindings(whose: string, skewMs: number, limitMs: number): Finding[] {
  if (Math.abs(skewMs) <= limitMs) return []
  const seconds = counted(Math.round(Math.abs(skewMs) / second), 'second')
  const message = `This machine's clock is ${seconds} ${skewMs > 0 ? 'ahead of' : 'behind'} ${whose}.`
  return [error(message, 'Set both by NTP (timedatectl set-ntp true).')]
}

/** The smallest thing to ask a source. */
type Probe = Readonly<{ source: ListingSource; ask(http: HttpClient, deps: Deps): Promise<unknown> }>

/** A market may have ended: try others. */
const mostTries = 3

/** Small requests per source in use. */
function probesFor(coins: readonly Coin[]): Probe[][] {
  const probes = new Map<string, Probe[]>()
  const add = (probe: Probe) => {
    const others = probes.get(probe.source.id) ?? []
    if (others.length < mostTries) probes.set(probe.source.id, [...others, probe])
  }
  for (const coin of coins) {
    const market = candleMarketOf(coin)
    if (market && market.listedTo === undefined) add(candleRequest(market))
    const [price] = priceMarketsOf(coin)
    if (price) add(priceRequest(price))
  }
  return [...probes.values()]
}

const candleRequest = ({ source, symbol }: CandleMarket): Probe => ({
  source,
  ask: (http, { clock, settings, signal }) => {
    const timeframe = source.candles.timeframes[0] ?? '1h'
    const to = floorTo(timeframe, clock.now())
    const range = { from: plusCandles(to, -1, timeframe), to }
    const deps = { http, baseUrls: settings.environment.baseUrls }
    const query = { symbol, timeframe, range, asOf: clock.now() }
    return askForCandles(deps, source, query, { lane: 'live', signal })
  },
})

const priceRequest = ({ source, symbol }: PriceMarket): Probe => ({
  source,
  ask: (http, { settings, signal }) => {
    const { baseUrls } = settings.environment
    return http.get(toHttpRequest(source, source.prices.request([symbol]), baseUrls), {
      lane: 'live',
      signal,
    })
  },
})

/** The server's time and our times around the request. */
export type Seen = Readonly<{ before: number; after: number; theirs: number }>

/** Minimum skew by a Date header, which has whole seconds and was written during the request. */
export function leastSkewMs({ before, after, theirs }: Seen): number {
  const [lowest, highest] = [before - theirs - second, after - theirs]
  if (lowest > 0) return lowest
  return highest < 0 ? highest : 0
}

/** Until an answer has a time. */
async function askSource(
  deps: Deps,
  http: HttpClient,
  [probe, ...others]: readonly Probe[],
): Promise<Finding[]> {
  if (!probe) return []
  const { source } = probe
  const { seen, failure } = await askOne(deps, http, probe)
  if (seen) return skewFindings(`that of ${source.id}`, leastSkewMs(seen), deps.settings.monitoring.clockSkew)
  if (failure instanceof UnknownMarket && others.length > 0) return askSource(deps, http, others)
  return failure ? [refusalOf(source, failure)] : []
}

/** Answers without a date cannot be compared. */
type Reported = Readonly<{ seen?: Seen; failure?: Fault }>

async function askOne(deps: Deps, http: HttpClient, { ask }: Probe): Promise<Reported> {
  const { clock, signal } = deps
  let seen: Seen | undefined
  const watched: HttpClient = {
    get: async (request, options) => {
      const before = clock.now()
      const answer = await http.get(request, options)
      const theirs = Date.parse(answer.headers.date ?? '')
      if (!Number.isNaN(theirs)) seen = { before, after: clock.now(), theirs }
      return answer
    },
  }
  try {
    await ask(watched, deps)
  } catch (failure) {
    if (!(failure instanceof Fault) || signal.aborted) throw failure
    // Even a failure has a date.
    if (seen === undefined) return { failure }
  }
  return seen === undefined ? {} : { seen }
}

function refusalOf({ id }: ListingSource, failure: Fault): Finding {
  const variable = `${id.toUpperCase().replaceAll(/\W/g, '_')}_BASE_URL`
  if (failure instanceof RateLimited)
    return warning(
      `${id} is not to be asked now: ${failure.message}.`,
      'Wait until it ends, then run: npx beacon doctor',
    )
  const finding = failure instanceof UnknownMarket ? warning : error
  return finding(
    `${id} did not return its time: ${failure.message}.`,
    `See that this machine reaches it, or set ${variable}.`,
  )
}
