import { z } from 'zod'
import { type Fault, Unavailable } from '../src/fault.ts'
import { type AnsweredPage, askForPrices } from '../src/ingest/prices/ask-prices.ts'
import { type Decisions, PriceRun, type WantedPrice } from '../src/ingest/prices/price-run.ts'
import { type PriceRequest, priceMarketsOf } from '../src/ingest/prices/price-sources.ts'
import { storePrices } from '../src/ingest/prices/store-prices.ts'
import { TradingMarkets } from '../src/ingest/prices/trading-markets.ts'
import { earlier, hour, type Instant, minute } from '../src/market/instant.ts'
import { defineJob, type Outcome, type Report } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { type Coin, listCoins } from '../src/store/coins.ts'
import { type Unplaced, unplacedFault } from '../src/store/partitions/leave-out.ts'
import { readLatestPrices } from '../src/store/prices.ts'
import { noteOutcome } from '../src/store/runs.ts'
import { databaseOf } from '../src/store/transaction.ts'

/** One price per tracked coin, from its first source that has one. */
export const ingestPrices = defineJob({
  name: 'ingest-prices',
  summary: 'Load price, market cap, volume and supply of every tracked coin',
  changes: ['new', 'quarantined'],
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
    const wanted = await wantedPrices(context)
    return wanted.length === 0 ? { received: 0 } : new Ingestion(context, report, wanted).run()
  },
})

function patternEvery(ms: number): string {
  return ms < hour ? `20 */${ms / minute} * * * *` : `20 0 */${ms / hour} * * *`
}

async function wantedPrices({ pool, clock }: Context): Promise<WantedPrice[]> {
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  const ids = coins.map(({ id }) => id)
  const latest = ids.length === 0 ? [] : await readLatestPrices(db, ids)
  const lastOf = new Map(latest.map((price) => [price.coinId, price]))
  const now = clock.now()
  return coins.map((coin) => {
    const last = lastOf.get(coin.id)
    return {
      coinId: coin.id,
      markets: priceMarketsOf(coin),
      last: last?.price,
      withoutPriceSince: last?.timestamp ?? trackedSince(coin, now),
    }
  })
}

const trackedSince = ({ markets }: Coin, now: Instant): Instant =>
  markets.map(({ trackedFrom }) => trackedFrom).reduce(earlier, now)

class Ingestion {
  readonly #context: Context
  readonly #report: Report
  readonly #prices: PriceRun
  readonly #trading: TradingMarkets
  readonly #coins: number
  readonly #failures: Fault[] = []
  readonly #unplaced: Unplaced[] = []
  readonly #counts = { new: 0, unchanged: 0, droppedValues: 0, roundedValues: 0, requests: 0 }

  constructor(context: Context, report: Report, wanted: readonly WantedPrice[]) {
    this.#context = context
    this.#report = report
    this.#prices = new PriceRun(wanted)
    this.#trading = new TradingMarkets(context)
    this.#coins = wanted.length
  }

  async run(): Promise<Outcome> {
    const { clock, settings, pool, runId } = this.#context
    const prices = this.#prices
    for (let asked = prices.nextPriceRequests(); asked.length > 0; asked = prices.nextPriceRequests())
      for (const request of asked) await this.#ask(request)
    await this.#store(prices.finish(clock.now(), settings.prices.staleAfter))
    const [firstFailure] = this.#failures
    const { unpriced } = prices
    if (firstFailure && Object.keys(unpriced).length === this.#coins) throw firstFailure
    const outcome = { coins: this.#coins, priced: prices.priced, unpriced, ...this.#balanced() }
    if (this.#unplaced.length === 0) return outcome
    // A failed run keeps the prices it stored.
    await noteOutcome(databaseOf(pool), runId, outcome)
    throw unplacedFault(this.#unplaced, 'price')
  }

  async #ask(request: PriceRequest): Promise<void> {
    const { log } = this.#context
    const deps = { ...this.#context, trading: this.#trading }
    const { requests, failure } = await askForPrices(deps, request, (page) => this.#take(request, page))
    this.#counts.requests += requests
    if (failure === undefined) return
    this.#failures.push(failure)
    this.#prices.fail(request, failure.message)
    await this.#report.log(`${request.source.id} gave no prices: ${failure.message}`)
    // The outage is reported once for all jobs.
    const level = failure instanceof Unavailable && failure.source !== undefined ? 'debug' : 'warn'
    log[level]('prices.source-failed', { source: request.source.id, reason: failure.message })
  }

  async #take({ source }: PriceRequest, { answers, dropped, roundedValues }: AnsweredPage): Promise<void> {
    this.#counts.droppedValues += dropped.length
    this.#counts.roundedValues += roundedValues
    if (dropped.length > 0)
      this.#context.log.warn('prices.values-dropped', { source: source.id, values: dropped })
    await this.#store(this.#prices.take(answers))
  }

  async #store(decisions: Decisions): Promise<void> {
    const { added, unchanged, unplaced } = await storePrices(this.#context, decisions)
    this.#counts.new += added
    this.#counts.unchanged += unchanged
    this.#unplaced.push(...unplaced)
  }

  #balanced() {
    const { new: added, unchanged, ...counts } = this.#counts
    const { received, withoutPrice, quarantined, confirming } = this.#prices.counts
    const accounting = { received, new: added, unchanged, quarantined, withoutPrice, confirming }
    const unplaced = this.#unplaced.length
    if (received !== added + unchanged + quarantined + withoutPrice + confirming + unplaced)
      throw new Error(`the accounting does not balance: ${JSON.stringify(accounting)}`)
    return { ...accounting, ...counts, requests: counts.requests + this.#trading.requests }
  }
}
