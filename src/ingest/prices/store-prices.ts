import type { Context } from '../../runtime/context.ts'
import { upsertCoin } from '../../store/coins.ts'
import { type Unplaced, withoutObstacles } from '../../store/partitions/leave-out.ts'
import { withPartitions } from '../../store/partitions/partition-cache.ts'
import { loadPrices } from '../../store/prices.ts'
import { quarantine } from '../../store/quarantine.ts'
import { inTransaction } from '../../store/transaction.ts'
import type { PriceAnswer } from './coin-answers.ts'
import type { Decisions } from './price-run.ts'

type Deps = Pick<Context, 'settings' | 'pool' | 'clock' | 'partitions' | 'runId' | 'onBatch'>

export type StoredPrices = Readonly<{ added: number; unchanged: number; unplaced: readonly Unplaced[] }>

/** Stores prices, names and rejected rows together; leaves out prices without a partition. */
export async function storePrices(deps: Deps, { stored, rejected }: Decisions): Promise<StoredPrices> {
  if (stored.length === 0 && rejected.length === 0) return { added: 0, unchanged: 0, unplaced: [] }
  const { settings, pool, clock, partitions, runId } = deps
  const now = clock.now()
  // One order, to avoid deadlocks.
  const prices = stored.toSorted((a, b) => (a.coinId < b.coinId ? -1 : 1))
  const refused = rejected.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))
  return withPartitions(
    { pool, partitions, lockTimeoutMs: settings.database.lockTimeout },
    { name: 'market_data', length: settings.prices.partition },
    prices.map(({ price }) => price.timestamp),
    async ({ obstacles }) => {
      const { placed, unplaced } = withoutObstacles(prices, obstacles, describePrice)
      const added = await inTransaction(
        pool,
        async (tx) => {
          for (const { coinId, price } of prices)
            if (price.coin) await upsertCoin(tx.db, coinId, price.coin, now)
          for (const { source, market, coinId, raw, reason } of refused) {
            const coin = coinId === undefined ? {} : { coinId }
            await quarantine(tx.db, { source, market, ...coin, runId, now }, [{ raw, reason }])
          }
          return loadPrices(tx, placed)
        },
        'load',
      )
      const unchanged = placed.length - added
      deps.onBatch?.('prices', { new: added, unchanged, quarantined: refused.length })
      return { added, unchanged, unplaced }
    },
  )
}

const describePrice = ({ coinId, price }: PriceAnswer) => ({ what: coinId, at: price.timestamp })

const placeOf = ({ market, coinId }: Readonly<{ market: string; coinId: string | undefined }>): string =>
  `${coinId ?? ''} ${market}`
