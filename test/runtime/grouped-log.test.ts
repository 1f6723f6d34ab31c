import { expect, test } from 'vitest'
import { openGroupedLog } from '../../src/runtime/grouped-log.ts'

type Line = readonly [level: string, event: string, fields: object | undefined]

function gathering() {
  const lines: Line[] = []
  const write = (level: string) => (event: string, fields?: object) => {
    lines.push([level, event, fields])
  }
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  return { lines, log: openGroupedLog(log) }
}

const run = (job: string, runId: string) => ({
  job,
  queue: 'binance',
  runId,
  jobId: `${job}-${runId}`,
  attempt: 1,
})

test('runs of one job that end within a window are one line with their numbers added up', () => {
  const { lines, log } = gathering()
  log.info('job.done', { ...run('backfill-candles', 'a'), received: 1_000, new: 990, tookMs: 30 })
  log.info('job.done', { ...run('backfill-candles', 'b'), received: 500, new: 500, tookMs: 20 })
  log.info('job.done', { ...run('ingest-candles', 'c'), received: 6, new: 6, tookMs: 10 })
  expect(lines).toEqual([])
  log.close()
  expect(lines).toEqual([
    [
      'info',
      'job.done',
      { times: 2, job: 'backfill-candles', queue: 'binance', received: 1_500, new: 1_490 },
    ],
    ['info', 'job.done', { ...run('ingest-candles', 'c'), received: 6, new: 6, tookMs: 10 }],
  ])
})

test('of texts that differ the first few are kept, and the others counted', () => {
  const { lines, log } = gathering()
  for (let index = 0; index < 26; index += 1)
    log.warn('market.unlisted', { ...run('sync-instruments', String(index)), market: `kraken:M${index}` })
  log.close()
  const market = ['kraken:M0', 'kraken:M1', 'kraken:M2', 'kraken:M3', 'kraken:M4', '21 more']
  expect(lines).toEqual([
    ['warn', 'market.unlisted', { times: 26, job: 'sync-instruments', queue: 'binance', market }],
  ])
})

test('runs that fail for different reasons are different lines', () => {
  const { lines, log } = gathering()
  for (const reason of ['too old', 'too new', 'too old'])
    log.warn('job.failed', { ...run('backfill-candles', 'a'), reason })
  log.close()
  expect(lines.map(([, , fields]) => fields)).toMatchObject([
    { times: 2, reason: 'too old' },
    { reason: 'too new' },
  ])
})

test('errors, lines of no run and debug are written at once, an error after what led to it', () => {
  const { lines, log } = gathering()
  log.info('daemon.ready', { url: 'http://127.0.0.1:3000' })
  log.debug('job.done', run('ingest-candles', 'a'))
  log.warn('job.stalled', run('ingest-candles', 'b'))
  log.error('job.failed', run('ingest-candles', 'b'))
  expect(lines.map(([level, event]) => `${level} ${event}`)).toEqual([
    'info daemon.ready',
    'debug job.done',
    'warn job.stalled',
    'error job.failed',
  ])
})

test('what is written after it was closed is not lost', () => {
  const { lines, log } = gathering()
  log.close()
  log.info('job.done', run('ingest-candles', 'a'))
  expect(lines).toHaveLength(1)
})
