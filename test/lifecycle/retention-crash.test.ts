import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Pool } from 'pg'
import { expect } from 'vitest'
import { toIso } from '../../src/market/instant.ts'
import { listHolds } from '../../src/store/lifecycle/partition-holds.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aCoin } from '../store/loading.ts'
import { type TestDatabase, test } from '../support/database.ts'
import { scriptFile } from '../support/scripts.ts'
import {
  daysAgo,
  freshData,
  minutePartition,
  partitionsNow,
  pricePartition,
  retain,
  someCandles,
  somePrices,
} from './retaining.ts'

/** Runs retention until it has done the step; returns when the server knows that it is gone, and its turn over. */
async function killAfter({ pool, url }: TestDatabase, step: string): Promise<void> {
  const child = spawn(process.execPath, [scriptFile('lifecycle/retention-process'), url, step], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [, signal] = await once(child, 'close')
  expect(signal).toBe('SIGKILL')
  await expect
    .poll(async () => {
      const { rows } = await pool.query(
        `select from pg_stat_activity where application_name = 'beacon' and datname = current_database()`,
      )
      return rows.length
    })
    .toBe(0)
}

/** Old candles that a query of the whole table finds. */
async function oldCandles(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'select count(*)::integer as count from ohlcv_data where timestamp < $1',
    [toIso(daysAgo(8))],
  )
  return rows[0]?.count ?? -1
}

/** Prices that only lie one by one, and those that only live on in a daily row, as a query of the whole table finds them. */
async function oldPrices(pool: Pool): Promise<{ raw: number; resolved: number }> {
  const { rows } = await pool.query<{ raw: number; resolved: number }>(
    `select (select count(*)::integer from market_data where timestamp < $1) as raw,
       (select coalesce(sum(samples), 0)::integer from market_data_daily where finalized_at is not null) as resolved`,
    [toIso(daysAgo(31))],
  )
  return rows[0] ?? { raw: -1, resolved: -1 }
}

/** Open times of the old candles that the ledger calls stored while no leaf holds them, attached or not. */
async function trustedForNothing(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ stored: boolean }>(
    `select exists (
       select from candle_coverage where state = 'stored' and ranges && tsmultirange(tsrange($1::timestamp, $2::timestamp))
     ) as stored`,
    [toIso(daysAgo(9)), toIso(daysAgo(8))],
  )
  return rows[0]?.stored === true && !(await partitionsNow(pool)).includes(minutePartition(9))
}

test('a run that is killed after any step loses nothing, and the next one goes on', async ({
  freshDatabase,
}) => {
  const { pool } = freshDatabase
  const coinId = await aCoin(pool)
  await freshData(pool, coinId)
  await someCandles(pool, coinId, daysAgo(9), 20)
  await somePrices(pool, coinId, daysAgo(32), 40)
  // Candles go first: each run takes up what the one before has left.
  for (const step of ['several-dropped', 'gone']) {
    await killAfter(freshDatabase, step)
    expect(await oldCandles(pool), step).toEqual(step === 'gone' ? 0 : 20)
    expect(await trustedForNothing(pool), step).toBe(false)
    expect(await oldPrices(pool), step).toEqual({ raw: 40, resolved: 0 })
  }
  for (const step of ['prepared', 'locked', 'proved', 'trimmed', 'dropped']) {
    await killAfter(freshDatabase, step)
    expect(await oldPrices(pool), step).toEqual({ raw: 40, resolved: 0 })
  }
  expect(await retain(pool)).toMatchObject({ dropped: [pricePartition(32)] })
  expect(await oldPrices(pool)).toEqual({ raw: 0, resolved: 40 })
  expect(await partitionsNow(pool)).toEqual(
    [minutePartition(1), minutePartition(0), pricePartition(1), pricePartition(0)].toSorted(),
  )
  expect(await listHolds(databaseOf(pool))).toEqual([])
})
