import { z } from 'zod'
import { Aborted, Fault, UnknownMarket } from '../src/fault.ts'
import { type PriceSource, priceSources } from '../src/ingest/price-sources.ts'
import { checkPrices } from '../src/market/coin-price-check.ts'
import { hour, minute } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { toHttpRequest } from '../src/sources/source.ts'
import { listCoins, upsertCoin } from '../src/store/coins.ts'
import { withPartitions } from '../src/store/partition-cache.ts'
import { loadPrices, type PricedCoin } from '../src/store/prices.ts'
import { quarantine } from '../src/store/quarantine.ts'
import { databaseOf, inTransaction } from '../src/store/transaction.ts'

/** The price of every followed coin, from the first source that answers. */
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
    const failures: Fault[] = []
    for (const candidate of priceSources(coins)) {
      try {
        return await ingestFrom(context, candidate)
      } catch (error) {
        if (!(error instanceof Fault) || error instanceof Aborted) throw error
        failures.push(error)
        await report.log(`${candidate.source.id} gave no prices: ${error.message}`)
        context.log.warn('prices.source-failed', { source: candidate.source.id, reason: error.message })
      }
    }
    throw failures[0] ?? new Error('no source gives prices')
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

async function ingestFrom(context: Context, candidate: PriceSource) {
  const { source, coinIdOf } = candidate
  const markets = [...coinIdOf.keys()]
  let totals = nothing
  for (let start = 0; start < markets.length; start += source.prices.pageSize) {
    totals = add(
      totals,
      await ingestMarkets(context, candidate, markets.slice(start, start + source.prices.pageSize)),
    )
  }
  return { source: source.id, coins: markets.length, ...totals }
}

/** One market that its source does not know fails the whole question: it is halved until that one stands alone. */
async function ingestMarkets(
  context: Context,
  candidate: PriceSource,
  markets: readonly string[],
): Promise<Totals> {
  try {
    return { ...(await ingestPage(context, candidate, markets)), requests: 1 }
  } catch (error) {
    if (!(error instanceof UnknownMarket)) throw error
    if (markets.length === 1) {
      context.log.warn('prices.unknown-market', { source: candidate.source.id, market: markets[0] })
      return { ...nothing, requests: 1 }
    }
    const middle = Math.ceil(markets.length / 2)
    const first = await ingestMarkets(context, candidate, markets.slice(0, middle))
    const second = await ingestMarkets(context, candidate, markets.slice(middle))
    return add({ ...nothing, requests: 1 }, add(first, second))
  }
}

async function ingestPage(context: Context, { source, coinIdOf }: PriceSource, markets: readonly string[]) {
  const { settings, http, signal, pool, clock, partitions, runId } = context
  const request = toHttpRequest(source, source.prices.request(markets), settings.environment.baseUrls)
  const answer = await http.get(request, { lane: 'live', signal })
  const checked = checkPrices(source.prices.parse(answer.text, answer.answeredAt), answer.answeredAt)
  // A market that was not asked for is nobody's business.
  const priced = checked.prices.flatMap((price): PricedCoin[] => {
    const coinId = coinIdOf.get(price.market)
    return coinId === undefined ? [] : [{ coinId, price }]
  })
  const table = { name: 'market_data', length: settings.prices.partition }
  const instants = priced.map(({ price }) => price.timestamp)
  const now = clock.now()
  const added = await withPartitions(
    { pool, partitions, lockTimeoutMs: settings.database.lockTimeout },
    table,
    instants,
    () =>
      inTransaction(pool, async (tx) => {
        // In the order of their ids, so that two writers never wait for each other.
        for (const { coinId, price } of priced.toSorted((a, b) => (a.coinId < b.coinId ? -1 : 1))) {
          if (price.coin) await upsertCoin(tx.db, coinId, price.coin, now)
        }
        for (const { raw, reason, market } of checked.rejected) {
          await quarantine(tx.db, { source: source.id, market: market ?? '', runId, now }, [{ raw, reason }])
        }
        return loadPrices(tx, priced)
      }),
  )
  const quarantined = checked.rejected.length
  return { received: priced.length + quarantined, new: added, unchanged: priced.length - added, quarantined }
}
