import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { toIso } from '../../src/market/instant.ts'
import {
  daysAgo,
  freshData,
  minutePartition,
  partitionsNow,
  pricePartition,
  retain,
  someCandles,
  somePrices,
} from '../lifecycle/retaining.ts'
import { aCoin } from '../store/loading.ts'
import { test } from '../support/database.ts'

/** Every price, whether it lies one by one or lives on in a daily row. */
async function knownPrices(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select ((select count(*) from market_data where timestamp < $1)
       + (select coalesce(sum(samples), 0) from market_data_daily where finalized_at is not null))::integer as count`,
    [toIso(daysAgo(31))],
  )
  return rows[0]?.count ?? -1
}

describe('retention whose sessions are terminated', () => {
  test('at any step loses nothing, and the next run finishes', async ({ freshDatabase }) => {
    const { pool, superuser } = freshDatabase
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    await someCandles(pool, coinId, daysAgo(9), 20)
    await somePrices(pool, coinId, daysAgo(32), 40)
    const steps = ['prepared', 'locked', 'proved', 'trimmed', 'dropped']
    for (const last of steps) {
      const terminateAt = async (name: string) => {
        if (name !== last) return
        await superuser.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
        )
      }
      await retain(pool, { steps: terminateAt }).catch((error: unknown) =>
        expect(error).toBeInstanceOf(Error),
      )
      expect(await knownPrices(pool), last).toBe(40)
    }
    const outcome = await retain(pool)
    expect(outcome.dropped.every((name) => [minutePartition(9), pricePartition(32)].includes(name))).toBe(
      true,
    )
    expect(await knownPrices(pool)).toBe(40)
    expect(await partitionsNow(pool)).toEqual(
      [minutePartition(1), minutePartition(0), pricePartition(1), pricePartition(0)].toSorted(),
    )
  })
})
