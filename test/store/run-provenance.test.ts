import { expect } from 'vitest'
import { hour, minute } from '../../src/market/instant.ts'
import { readRunsBehind } from '../../src/store/runs/provenance.ts'
import { finishRun, noteOutcome, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { aSeries, minutes, start } from './loading.ts'

test('behind candles that live ingest was late for are the failed runs that brought some, up to the first that was done', async ({
  freshDatabase: { pool },
}) => {
  const db = databaseOf(pool)
  const series = await aSeries(pool)
  const live = async (after: number, brought: number, status: 'done' | 'failed') => {
    const startedAt = plus(start, after)
    const payload = { source: 'binance', timeframe: '1m' }
    const run = {
      job: 'ingest-candles',
      queue: 'binance',
      jobId: `tick_${after}`,
      attempt: 1,
      payload,
      startedAt,
    }
    const id = await startRun(db, run)
    await noteOutcome(db, id, { new: brought })
    const end =
      status === 'done'
        ? { status, outcome: { new: brought } }
        : { status, error: 'one of the markets failed', willRetry: false }
    await finishRun(db, id, end, startedAt)
    return id
  }
  const range = minutes(0, 10)
  const partly = await live(2 * hour, 5, 'failed')
  await live(2 * hour + minute, 0, 'failed')
  const done = await live(2 * hour + 2 * minute, 1, 'done')
  await live(2 * hour + 3 * minute, 4, 'failed')
  await live(2 * hour + 4 * minute, 1, 'done')
  const { runs, total } = await readRunsBehind(db, series, ['binance'], range, {
    recheck: 3,
    perAnswer: 1_000,
    most: 10,
  })
  expect([runs.map(({ id, status }) => [id, status]), total]).toEqual([
    [
      [partly, 'failed'],
      [done, 'done'],
    ],
    2,
  ])
})
