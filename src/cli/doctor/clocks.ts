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
import { type Check, error, type Finding, type Reach, warning } from './check.ts'

/** That our clock, the database's and the exchanges' agree: what is closed and what is due hang on it. */
export const clocks: Check = {
  name: 'clocks',
  run: async (reach) => {
    const { pool, clock, settings } = reach
    const db = databaseOf(pool)
    const skewMs = await readClockSkewMs(db, clock)
    const ofDatabase = skewFindings("the database's", skewMs, settings.monitoring.clockSkew)
    const questions = questionsFor(await listCoins(db))
    if (questions.length === 0) return ofDatabase
    return [...ofDatabase, ...(await ofExchanges(reach, questions))]
  },
}

/** Only within the budget: where that is out of reach, nobody is asked. */
async function ofExchanges(reach: Reach, questions: readonly Question[][]): Promise<Finding[]> {
  try {
    const { context } = await openFleet({ ...reach, database: reach }, 0)
    const asked = await Promise.all(questions.map((ofSource) => askSource(reach, context.http, ofSource)))
    return asked.flat()
  } catch (failure) {
    if (!(failure instanceof Unavailable) || reach.signal.aborted) throw failure
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
  const sentence = `This machine's clock is ${seconds} ${skewMs > 0 ? 'ahead of' : 'behind'} ${whose}.`
  return [error(sentence, 'Set both by NTP (timedatectl set-ntp true).')]
}

/** The smallest thing to ask a source. */
type Question = Readonly<{ source: ListingSource; ask(http: HttpClient, reach: Reach): Promise<unknown> }>

/** A market may have ended since; then another one is asked for. */
const mostTries = 3

/** For each source that candles or prices are read from, questions that do. */
function questionsFor(coins: readonly Coin[]): Question[][] {
  const questions = new Map<string, Question[]>()
  const add = (question: Question) => {
    const others = questions.get(question.source.id) ?? []
    if (others.length < mostTries) questions.set(question.source.id, [...others, question])
  }
  for (const coin of coins) {
    const market = candleMarketOf(coin)
    if (market && market.listedTo === undefined) add(candleQuestion(market))
    const [price] = priceMarketsOf(coin)
    if (price) add(priceQuestion(price))
  }
  return [...questions.values()]
}

const candleQuestion = ({ source, symbol }: CandleMarket): Question => ({
  source,
  ask: (http, { clock, settings, signal }) => {
    const timeframe = source.candles.timeframes[0] ?? '1h'
    const to = floorTo(timeframe, clock.now())
    const range = { from: plusCandles(to, -1, timeframe), to }
    const reach = { http, baseUrls: settings.environment.baseUrls }
    const query = { symbol, timeframe, range, asOf: clock.now() }
    return askForCandles(reach, source, query, { lane: 'live', signal })
  },
})

const priceQuestion = ({ source, symbol }: PriceMarket): Question => ({
  source,
  ask: (http, { settings, signal }) => {
    const { baseUrls } = settings.environment
    return http.get(toHttpRequest(source, source.prices.request([symbol]), baseUrls), {
      lane: 'live',
      signal,
    })
  },
})

/** What a source's answer said of the time, and when by our clock it was asked for and came. */
export type Seen = Readonly<{ before: number; after: number; theirs: number }>

/**
 * How far our clock is ahead of the one that wrote a Date header, at the least. The header tells whole seconds, and was
 * written at any moment between the question and its answer: within that, nothing is known.
 */
export function leastSkewMs({ before, after, theirs }: Seen): number {
  const [lowest, highest] = [before - theirs - second, after - theirs]
  if (lowest > 0) return lowest
  return highest < 0 ? highest : 0
}

/** Asks until the source has told its time. */
async function askSource(
  reach: Reach,
  http: HttpClient,
  [question, ...others]: readonly Question[],
): Promise<Finding[]> {
  if (!question) return []
  const { source } = question
  const { seen, failure } = await askOne(reach, http, question)
  if (seen)
    return skewFindings(`that of ${source.id}`, leastSkewMs(seen), reach.settings.monitoring.clockSkew)
  if (failure instanceof UnknownMarket && others.length > 0) return askSource(reach, http, others)
  return failure ? [refusalOf(source, failure)] : []
}

/** A source that dates none of its answers has nothing to be compared with. */
type Told = Readonly<{ seen?: Seen; failure?: Fault }>

async function askOne(reach: Reach, http: HttpClient, { ask }: Question): Promise<Told> {
  const { clock, signal } = reach
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
    await ask(watched, reach)
  } catch (failure) {
    if (!(failure instanceof Fault) || signal.aborted) throw failure
    // Whatever else it said, it said when.
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
  const tell = failure instanceof UnknownMarket ? warning : error
  return tell(
    `${id} did not return its time: ${failure.message}.`,
    `See that this machine reaches it, or set ${variable}.`,
  )
}
