import { z } from 'zod'
import { Aborted, Fault, Unavailable, UnknownMarket } from '../src/fault.ts'
import { nextQuestions, type PriceQuestion, priceMarketsOf } from '../src/ingest/price-sources.ts'
import type { CoinPriceRow } from '../src/market/coin-price.ts'
import { checkPrices } from '../src/market/coin-price-check.ts'
import { hour, minute } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { inSpan } from '../src/runtime/trace.ts'
import { toHttpRequest } from '../src/sources/source.ts'
import { listCoins, upsertCoin } from '../src/store/coins.ts'
import { withPartitions } from '../src/store/partition-cache.ts'
import { throwIfUnplaced, type Unplaced, withoutObstacles } from '../src/store/partitions/leave-out.ts'
import { loadPrices, type PricedCoin } from '../src/store/prices.ts'
import { quarantine } from '../src/store/quarantine.ts'
import { databaseOf, inTransaction } from '../src/store/transaction.ts'

/** The price of every followed coin, each from the first of its sources that has one. */
export const ingestPrices = defineJob({
  name: 'ingest-prices',
  summary: 'The price, market cap, volume and supply of every followed coin',
  payload: z.strictObject({}),
  queueOf: () => 'coingecko',
  idOf: () => 'ingest-prices',
  priority: 0,
  schedules: ({ prices: { every } }) => [
    {
      id: 'ingest-prices',
      pattern: patternEvery(every),
      payload: {},
      whenMissed: 'run-once',
    },
  ],
  run: async (context, _payload, report) => {
    const coins = await listCoins(databaseOf(context.pool))
    if (coins.length === 0) return { received: 0 }
    let left = new Map(coins.map((coin) => [coin.id, priceMarketsOf(coin)]))
    let totals = nothing
    const failures: Fault[] = []
    const unplaced: Unplaced[] = []
    const priced: Record<string, number> = {}
    for (let questions = nextQuestions(left); questions.length > 0; questions = nextQuestions(left)) {
      const failed = new Set<string>()
      const found = new Set<string>()
      for (const question of questions) {
        const { id } = question.source
        const answered = await ask(context, question)
        totals = add(totals, answered.totals)
        unplaced.push(...answered.unplaced)
        for (const coinId of answered.priced) found.add(coinId)
        if (answered.priced.size > 0) priced[id] = (priced[id] ?? 0) + answered.priced.size
        if (answered.failure === undefined) continue
        failed.add(id)
        failures.push(answered.failure)
        await report.log(`${id} gave no prices: ${answered.failure.message}`)
        context.log.warn('prices.source-failed', { source: id, reason: answered.failure.message })
      }
      // The best market of each has been asked, and a source that failed is not asked for another one.
      left = new Map(
        [...left]
          .filter(([coinId]) => !found.has(coinId))
          .map(([coinId, [, ...others]]) => [coinId, others.filter(({ source }) => !failed.has(source.id))]),
      )
    }
    const [firstFailure] = failures
    if (firstFailure && left.size === coins.length) throw firstFailure
    throwIfUnplaced(unplaced, 'price')
    return { coins: coins.length, priced, unpriced: [...left.keys()], ...totals }
  },
})

/** The cron pattern, with seconds, of a length that divides an hour or a day. */
function patternEvery(ms: number): string {
  return ms < hour ? `20 */${ms / minute} * * * *` : `20 0 */${ms / hour} * * *`
}

type Totals = Readonly<{
  received: number
  new: number
  unchanged: number
  quarantined: number
  requests: number
}>

const nothing: Totals = { received: 0, new: 0, unchanged: 0, quarantined: 0, requests: 0 }

const add = (a: Totals, b: Totals): Totals => ({
  received: a.received + b.received,
  new: a.new + b.new,
  unchanged: a.unchanged + b.unchanged,
  quarantined: a.quarantined + b.quarantined,
  requests: a.requests + b.requests,
})

/** What a source has said, until it failed. */
type Answered = Readonly<{
  priced: ReadonlySet<string>
  totals: Totals
  unplaced: readonly Unplaced[]
  failure?: Fault
}>

/** One market that its source does not know fails the whole page: it is halved until that one stands alone. */
async function ask(context: Context, question: PriceQuestion): Promise<Answered> {
  const { source, coinIdsOf } = question
  const priced = new Set<string>()
  const unplaced: Unplaced[] = []
  let totals = nothing
  const waiting = pagesOf([...coinIdsOf.keys()], source.prices.pageSize)
  for (let page = waiting.shift(); page; page = waiting.shift()) {
    try {
      const answered = await ingestPage(context, question, page)
      for (const coinId of answered.priced) priced.add(coinId)
      unplaced.push(...answered.unplaced)
      totals = add(totals, { ...answered.totals, requests: 1 })
    } catch (error) {
      if (!(error instanceof Fault) || context.signal.aborted) throw error
      if (error instanceof Aborted)
        return { priced, totals, unplaced, failure: new Unavailable(tooLate(source.id)) }
      if (!(error instanceof UnknownMarket)) return { priced, totals, unplaced, failure: error }
      totals = add(totals, { ...nothing, requests: 1 })
      const middle = Math.ceil(page.length / 2)
      if (page.length > 1) waiting.unshift(page.slice(0, middle), page.slice(middle))
      else context.log.warn('prices.unknown-market', { source: source.id, market: page[0] })
    }
  }
  return { priced, totals, unplaced }
}

const tooLate = (source: string): string =>
  `${source} has no request to spare in its budget: another source is asked meanwhile`

function pagesOf(markets: readonly string[], pageSize: number): (readonly string[])[] {
  const pages: (readonly string[])[] = []
  for (let start = 0; start < markets.length; start += pageSize)
    pages.push(markets.slice(start, start + pageSize))
  return pages
}

async function ingestPage(
  context: Context,
  { source, coinIdsOf }: PriceQuestion,
  markets: readonly string[],
) {
  const { settings, http, signal, pool, clock, partitions, runId } = context
  const request = toHttpRequest(source, source.prices.request(markets), settings.environment.baseUrls)
  // A price that comes after the next one is worth nothing: another source is asked rather than waited for this one.
  const patience = AbortSignal.timeout(2 * settings.http.timeout)
  const answer = await http.get(request, { lane: 'live', signal: AbortSignal.any([signal, patience]) })
  const checked = await inSpan('parse', {}, (tell) => {
    const rows = source.prices.parse(answer.text, answer.answeredAt, markets)
    const sorted = checkPrices(ours(rows, markets), answer.answeredAt)
    tell({ 'beacon.rows': sorted.prices.length, 'beacon.rows.rejected': sorted.rejected.length })
    return sorted
  })
  const priced = checked.prices.flatMap((price): PricedCoin[] =>
    (coinIdsOf.get(price.market) ?? []).map((coinId) => ({ coinId, price })),
  )
  const table = { name: 'market_data', length: settings.prices.partition }
  const instants = priced.map(({ price }) => price.timestamp)
  const now = clock.now()
  const describePrice = ({ coinId, price }: PricedCoin) => ({ what: coinId, at: price.timestamp })
  const { added, placed, unplaced } = await withPartitions(
    { pool, partitions, lockTimeoutMs: settings.database.lockTimeout },
    table,
    instants,
    async ({ obstacles }) => {
      const found = withoutObstacles(priced, obstacles, describePrice)
      const added = await inTransaction(
        pool,
        async (tx) => {
          // In the order of their ids, so that two writers never wait for each other.
          for (const { coinId, price } of priced.toSorted((a, b) => (a.coinId < b.coinId ? -1 : 1))) {
            if (price.coin) await upsertCoin(tx.db, coinId, price.coin, now)
          }
          for (const { raw, reason, market } of checked.rejected) {
            await quarantine(tx.db, { source: source.id, market: market ?? '', runId, now }, [
              { raw, reason },
            ])
          }
          return loadPrices(tx, found.placed)
        },
        'load',
      )
      return { added, ...found }
    },
  )
  const quarantined = checked.rejected.length
  return {
    // Another source's price of the same time would have no partition either.
    priced: priced.map(({ coinId }) => coinId),
    totals: {
      received: placed.length + quarantined,
      new: added,
      unchanged: placed.length - added,
      quarantined,
    },
    unplaced,
  }
}

/**
 * The rows of the markets that were asked for: many sources send all they have, and the others are nobody's business.
 * A row that does not tell its market can only be ours where no others were sent.
 */
function ours(rows: readonly CoinPriceRow[], markets: readonly string[]): CoinPriceRow[] {
  const asked = new Set(markets)
  return rows.filter((row) => {
    const market = 'price' in row ? row.price.market : row.market
    return market === undefined ? rows.length <= asked.size : asked.has(market)
  })
}
