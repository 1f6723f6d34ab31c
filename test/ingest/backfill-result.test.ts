import { describe, expect, test } from 'vitest'
import { ProgressMeter } from '../../src/ingest/backfill/progress.ts'
import {
  addBeyond,
  asPlanned,
  nothingDone,
  withLeftOver,
  workOfRuns,
} from '../../src/ingest/backfill/result.ts'
import { minute, plus } from '../../src/market/instant.ts'
import type { Run } from '../../src/store/runs.ts'
import { now } from '../store/loading.ts'

const aRun = (parts: Partial<Run>): Run => ({
  id: 'one',
  job: 'backfill-candles',
  queue: 'binance',
  jobId: 'job',
  attempt: 1,
  payload: {},
  status: 'done',
  willRetry: false,
  startedAt: now,
  finishedAt: now,
  outcome: null,
  error: undefined,
  ...parts,
})

describe('the work of a job', () => {
  test('is that of all its runs, of those that failed too', () => {
    const runs = [
      aRun({ status: 'failed', outcome: { received: 2, new: 2, requests: 3 } }),
      aRun({ status: 'abandoned', outcome: null }),
      aRun({ outcome: { received: 4, new: 3, revised: 1, requests: 2, files: 1, fileRequests: 2 } }),
    ]
    expect(workOfRuns(runs, now)).toEqual({
      received: 6,
      new: 5,
      revised: 1,
      unchanged: 0,
      quarantined: 0,
      requests: 5,
      files: 1,
      fileRequests: 2,
    })
  })

  test('is not what a process had done that was killed before', () => {
    const before = plus(now, -minute)
    const killed = aRun({
      status: 'abandoned',
      startedAt: before,
      outcome: { received: 2, new: 2, requests: 3 },
    })
    expect(workOfRuns([killed], now)).toEqual(nothingDone)
    expect(workOfRuns([{ ...killed, status: 'done' }], now)).toMatchObject({ requests: 3 })
  })
})

describe('requests beside the plan', () => {
  const page = { requests: 3, weight: 6, isEstimate: false, isFile: false }

  test('have a reason each', () => {
    const done = [aRun({})]
    const failed = [aRun({ status: 'failed' }), aRun({})]
    let beyond = addBeyond(asPlanned, page, 3, failed)
    expect(beyond).toEqual(asPlanned)
    beyond = addBeyond(beyond, page, 4, failed)
    beyond = addBeyond(beyond, page, 5, done)
    beyond = addBeyond(beyond, page, 2, done)
    beyond = addBeyond(beyond, { ...page, requests: 0, isFile: true }, 7, done)
    beyond = addBeyond(beyond, { ...page, isEstimate: true }, 1, done)
    for (const givenUp of [[], [aRun({ status: 'failed' })]]) beyond = addBeyond(beyond, page, 1, givenUp)
    expect(beyond).toEqual({ failedAttempts: 1, askedAgain: 2, spared: 1, files: 7, trades: -2 })
  })

  test('that an earlier backfill left to do are no more than were spared', () => {
    const spared = addBeyond(asPlanned, page, 0, [aRun({})])
    expect(withLeftOver(spared, 2)).toEqual({ ...asPlanned, spared: 1 })
    expect(withLeftOver(spared, 4)).toEqual({ ...asPlanned, askedAgain: 1 })
  })
})

test('progress is told as it was of late', () => {
  const meter = new ProgressMeter()
  const add = (seconds: number, candles: number, requests: number) =>
    meter.add({ at: plus(now, 1_000 * seconds), candles, requests: new Map([['binance', requests]]) })
  add(0, 0, 0)
  expect(meter.perSecond()).toBeUndefined()
  add(10, 1_000, 4)
  expect(meter.perSecond()).toBe(100)
  expect(meter.requestsOf('binance')).toEqual({ requests: 4, overMs: 10_000 })
  add(20, 1_000, 4)
  add(30, 5_000, 8)
  // The first ten seconds are too long ago: from the tenth on.
  expect(meter.perSecond()).toBe(200)
  expect(meter.requestsOf('binance')).toEqual({ requests: 4, overMs: 20_000 })
  expect(meter.requestsOf('kraken')).toEqual({ requests: 0, overMs: 20_000 })
})
