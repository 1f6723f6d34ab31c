import { z } from 'zod'
import { Malformed, UnknownMarket } from '../src/fault.ts'
import { day, minute, plus } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { coinDetails, coingecko } from '../src/sources/coingecko.ts'
import { toHttpRequest } from '../src/sources/source.ts'
import { listMissingDetails, markChecked, updateCoinDetails } from '../src/store/coins/details.ts'
import { listCoins } from '../src/store/coins.ts'
import { databaseOf, inTransaction } from '../src/store/transaction.ts'

/** Details rarely change. */
const staleAfterMs = 7 * day

/** The free plan's 10,000 requests a month minus prices every five minutes leave 34 a day. */
const mostCoins = 30

/** Once a week per coin. */
export const syncCoins = defineJob({
  name: 'sync-coins',
  changes: ['updated', 'unknown', 'unread'],
  summary: 'Load image, description, website, whitepaper and chain of every tracked coin, once a week',
  payload: z.strictObject({}),
  queueOf: () => 'coingecko',
  idOf: () => 'sync-coins',
  priority: 5,
  schedules: () => [
    {
      id: 'sync-coins',
      pattern: '50 20 1 * * *',
      payload: {},
      whenMissed: 'run-once',
      missedDelayMs: minute,
    },
  ],
  run: async (context, _payload, report) => {
    const { pool, clock, log } = context
    const db = databaseOf(pool)
    const tracked = (await listCoins(db)).map(({ id }) => id)
    const missing = await listMissingDetails(db, tracked, plus(clock.now(), -staleAfterMs), mostCoins)
    const unknown: string[] = []
    const unread: string[] = []
    for (const [index, coinId] of missing.entries()) {
      try {
        await syncCoin(context, coinId)
      } catch (error) {
        if (error instanceof UnknownMarket) {
          await markChecked(db, coinId, clock.now())
          unknown.push(coinId)
        } else if (error instanceof Malformed) unread.push(coinId)
        else throw error
        log.warn('coins.details-missing', { coin: coinId, reason: error.message })
        await report.log(`no details of ${coinId}: ${error.message}`)
      }
      await report.progress(index + 1, missing.length)
    }
    return { updated: missing.length - unknown.length - unread.length, unknown, unread }
  },
})

async function syncCoin({ http, signal, settings, pool, clock }: Context, coinId: string): Promise<void> {
  const request = toHttpRequest(coingecko, coinDetails.request(coinId), settings.environment.baseUrls)
  // Prices of the same source go first.
  const answer = await http.get(request, { lane: 'backfill', signal })
  const details = coinDetails.parse(answer.text, coinId)
  await inTransaction(pool, (tx) => updateCoinDetails(tx.db, coinId, details, clock.now()), 'load')
}
