import { describe, expect } from 'vitest'
import { minute, plus } from '../../src/market/instant.ts'
import {
  finishRun,
  lastSuccess,
  listRuns,
  noteOutcome,
  type RunStart,
  readOtherWork,
  runsSince,
  startRun,
} from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import { now } from './loading.ts'

let runs = 0

const aRun = (parts: Partial<RunStart> = {}): RunStart => {
  runs += 1
  return {
    job: `job-${runs}`,
    queue: 'maintenance',
    jobId: `job-${runs}_1`,
    attempt: 1,
    payload: {},
    startedAt: now,
    ...parts,
  }
}

describe('a run', () => {
  test('is written down with its beginning, its end and what came of it', async ({
    freshDatabase: { pool },
  }) => {
    const db = databaseOf(pool)
    const start = aRun({ payload: { view: 'daily' }, attempt: 2 })
    const id = await startRun(db, start)
    expect(await listRuns(db, 10)).toEqual([
      {
        ...start,
        id,
        status: 'running',
        willRetry: false,
        finishedAt: undefined,
        outcome: null,
        error: undefined,
      },
    ])
    await finishRun(db, id, { status: 'done', outcome: { rows: 3 } }, plus(now, minute))
    expect(await listRuns(db, 10)).toMatchObject([
      { id, status: 'done', finishedAt: plus(now, minute), outcome: { rows: 3 } },
    ])
  })

  test('that failed keeps the reason, and whether it will be tried again', async ({
    freshDatabase: { pool },
  }) => {
    const db = databaseOf(pool)
    const id = await startRun(db, aRun())
    await finishRun(db, id, { status: 'failed', error: 'binance is away', willRetry: true }, now)
    expect(await listRuns(db, 1)).toMatchObject([
      { status: 'failed', error: 'binance is away', willRetry: true, outcome: null },
    ])
  })

  test('that never ended is marked abandoned when its job begins again', async ({
    freshDatabase: { pool },
  }) => {
    const db = databaseOf(pool)
    const start = aRun()
    const [dead, elsewhere] = [await startRun(db, start), await startRun(db, { ...start, queue: 'binance' })]
    const alive = await startRun(db, { ...start, attempt: 2, startedAt: plus(now, minute) })
    const states = new Map(
      (await listRuns(db, 10)).map(({ id, status, finishedAt }) => [id, { status, finishedAt }]),
    )
    expect(states.get(dead)).toEqual({ status: 'abandoned', finishedAt: plus(now, minute) })
    expect(states.get(alive)?.status).toBe('running')
    expect(states.get(elsewhere)?.status).toBe('running')
  })

  test('that ended keeps its end when its job begins again', async ({ freshDatabase: { pool } }) => {
    const db = databaseOf(pool)
    const start = aRun()
    const done = await startRun(db, start)
    await finishRun(db, done, { status: 'done', outcome: {} }, now)
    await startRun(db, { ...start, startedAt: plus(now, minute) })
    expect((await listRuns(db, 10)).map(({ status }) => status)).toEqual(['running', 'done'])
  })
})

test('the last success of a job is the newest that ended well with that payload', async ({ pool }) => {
  const db = databaseOf(pool)
  const start = aRun({ payload: { view: 'daily', deep: [1] } })
  const success = () => lastSuccess(db, start.job, { view: 'daily' })
  expect(await success()).toBeUndefined()
  for (const minutes of [0, 2]) {
    const id = await startRun(db, { ...start, startedAt: plus(now, minutes * minute) })
    await finishRun(db, id, { status: 'done', outcome: {} }, plus(now, 9 * minute))
  }
  const failed = await startRun(db, { ...start, startedAt: plus(now, 3 * minute) })
  await finishRun(db, failed, { status: 'failed', error: 'no', willRetry: false }, plus(now, 9 * minute))
  const other = await startRun(db, {
    ...start,
    payload: { view: 'weekly' },
    startedAt: plus(now, 4 * minute),
  })
  await finishRun(db, other, { status: 'done', outcome: {} }, plus(now, 9 * minute))
  expect(await success()).toBe(plus(now, 2 * minute))
})

describe('the runs since an instant', () => {
  test('are all of each job of the queue, oldest first, and none that ended before', async ({ pool }) => {
    const db = databaseOf(pool)
    const [old, twice, going, foreign] = [aRun(), aRun(), aRun(), aRun({ queue: 'binance' })]
    const ended = async (run: RunStart, afterMs: number) => {
      const startedAt = plus(now, afterMs)
      const id = await startRun(db, { ...run, startedAt })
      await finishRun(db, id, { status: 'done', outcome: {} }, startedAt)
      return id
    }
    await ended(old, -minute)
    const both = [await ended(twice, minute), await ended(twice, 2 * minute)]
    const running = await startRun(db, { ...going, startedAt: plus(now, -5 * minute) })
    await ended(foreign, minute)
    const ids = [old, twice, going, foreign].map(({ jobId }) => jobId)
    const found = await runsSince(db, 'maintenance', [...ids, 'never-run'], now)
    expect(new Map([...found].map(([jobId, runs]) => [jobId, runs.map(({ id }) => id)]))).toEqual(
      new Map([
        [twice.jobId, both],
        [going.jobId, [running]],
      ]),
    )
    expect(await runsSince(db, 'maintenance', [], now)).toEqual(new Map())
  })

  test('tell what a run noted that failed, or whose process died', async ({ pool }) => {
    const db = databaseOf(pool)
    const run = aRun()
    const failed = await startRun(db, run)
    await noteOutcome(db, failed, { requests: 3 })
    await finishRun(db, failed, { status: 'failed', error: 'no', willRetry: true }, now)
    await noteOutcome(db, failed, { requests: 4 })
    const dead = await startRun(db, { ...run, startedAt: plus(now, minute) })
    await noteOutcome(db, dead, { requests: 1 })
    await startRun(db, { ...run, startedAt: plus(now, 2 * minute) })
    const runs = (await runsSince(db, run.queue, [run.jobId], now)).get(run.jobId) ?? []
    expect(runs.map(({ status, outcome }) => [status, outcome])).toEqual([
      ['failed', { requests: 3 }],
      ['abandoned', { requests: 1 }],
      ['running', null],
    ])
  })

  test('tell what other work asks of a source, and whether backfills run on it', async ({
    freshDatabase: { pool },
  }) => {
    const db = databaseOf(pool)
    for (const [job, requests, minutes] of [
      ['ingest-candles', 7, 1],
      ['ingest-prices', 2, 2],
      ['ingest-candles', 5, -9],
      ['backfill-candles', 100, 1],
      ['sync-coins', 'none', 1],
    ] as const) {
      const startedAt = plus(now, minutes * minute)
      const id = await startRun(db, { ...aRun({ queue: 'binance' }), job, startedAt })
      await finishRun(db, id, { status: 'done', outcome: { requests } }, startedAt)
    }
    await startRun(db, { ...aRun({ queue: 'kraken' }), job: 'backfill-candles', startedAt: now })
    expect(await readOtherWork(db, ['binance', 'kraken', 'okx'], now)).toEqual(
      new Map([
        ['binance', { requests: 9, backfills: 0 }],
        ['kraken', { requests: 0, backfills: 1 }],
      ]),
    )
  })
})

describe('the newest runs', () => {
  test('come newest first, and no more than asked for', async ({ freshDatabase: { pool } }) => {
    const db = databaseOf(pool)
    for (const minutes of [1, 3, 2]) await startRun(db, aRun({ startedAt: plus(now, minutes * minute) }))
    expect((await listRuns(db, 2)).map(({ startedAt }) => startedAt)).toEqual([
      plus(now, 3 * minute),
      plus(now, 2 * minute),
    ])
  })
})
