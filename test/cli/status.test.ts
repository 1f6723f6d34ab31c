import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { statusText } from '../../src/cli/status/text.ts'
import { hour, minute, toInstant, toIso } from '../../src/market/instant.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import type { RunStatus } from '../../src/status/runs.ts'
import type { SeriesStatus } from '../../src/status/series.ts'
import type { Status } from '../../src/status/status.ts'
import { reconcileIncidents } from '../../src/store/incidents.ts'
import { openSite } from './support/site.ts'

const now = toInstant(Date.UTC(2024, 2, 1, 12))

const aSeries = (parts: Partial<SeriesStatus> = {}): SeriesStatus => ({
  coinId: 'bitcoin',
  symbol: 'BTC',
  source: 'binance',
  market: 'BTCUSDT',
  timeframe: '1m',
  lastOpenTime: toIso(now),
  lastCloseTime: toIso(now),
  secondsBehind: 14,
  state: 'fresh',
  quiet: false,
  missingCandles: 0,
  wantedCandles: 1_000,
  trackedFrom: toIso(now),
  ...parts,
})

const aRun = (parts: Partial<RunStatus> = {}): RunStatus => ({
  id: 'c0ffee',
  job: 'ingest-candles',
  queue: 'binance',
  jobId: '1',
  attempt: 1,
  status: 'done',
  willRetry: false,
  startedAt: toIso(now),
  finishedAt: toIso(now),
  tookMs: 200,
  subject: { source: 'binance', timeframe: '1m' },
  counts: { received: 1, new: 1, revised: 0, unchanged: 0, quarantined: 0 },
  failures: [],
  error: null,
  ...parts,
})

const ready: Status['readiness'] = {
  database: { ok: true },
  queue: { ok: true },
  schedule: { ok: true },
  work: { ok: true },
  clock: { ok: true },
}

const aStatus = (parts: Partial<Status> = {}): Status => ({
  generatedAt: toIso(now),
  overall: { state: 'ok', message: 'Everything is fine.', others: [], findings: [] },
  readiness: ready,
  blocking: [],
  unreachable: { isNetworkDown: false, sources: [] },
  bans: [],
  alerts: [],
  series: [aSeries()],
  prices: [],
  runs: [aRun()],
  failures: [],
  queues: [],
  jobs: [],
  partitions: [],
  holds: [],
  checkProblems: null,
  process: {
    version: '1.0.0',
    startedAt: null,
    queueEngine: 'postgres',
    database: { version: '18.1', bytes: 12_300_000 },
    hasWorkers: true,
  },
  ...parts,
})

const many = <T>(count: number, of: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => of(index))

const terminal = { width: 80, height: 24 }

const textOf = (status: Status, alerts: readonly string[] = [], colours = false, size = terminal) =>
  statusText({ status, alerts, colours, size })

/** Everything that can be long is long, and there is much of it. */
const crowded = aStatus({
  overall: {
    state: 'attention',
    message: `401 series are stale: ${'coin-'.repeat(9)}x 1m has had no candle for 5 days, and that is how it is.`,
    others: many(
      9,
      (index) => `Another thing of ${index} that is not as it should be, ${'and more '.repeat(9)}.`,
    ),
    findings: [],
  },
  series: many(100, (index) =>
    timeframes.map((timeframe) =>
      aSeries({
        coinId: `${'a-long-coin-name-'.repeat(2)}${index}`,
        timeframe,
        secondsBehind: index === 99 ? 432_000 : 90 + index,
        state: index === 99 ? 'stale' : index > 90 ? 'late' : 'fresh',
      }),
    ),
  ).flat(),
  runs: many(30, (index) =>
    aRun({
      status: index % 2 ? 'failed' : 'done',
      attempt: index + 1,
      error: index % 2 ? `binance did not answer\nwithin 20 s, ${'again '.repeat(40)}` : null,
      subject: { source: 'ccxt-bitvavo', coinId: 'a-coin-with-a-long-name', timeframe: '1m' },
    }),
  ),
})
const alerts = many(12, (index) => `Alert ${index}: ${'something is wrong '.repeat(8)}`)

describe('the status in a terminal', () => {
  test.each([80, 120])(
    'shows alerts and errors in full in %i columns, and of the rest what fits',
    (width) => {
      const text = textOf(crowded, alerts, false, { width, height: 24 })
      const lines = text.split('\n')
      expect(lines.filter((line) => line.length > width)).toEqual([])
      const words = text.replaceAll(/\s+/g, ' ')
      expect(words).toContain(crowded.overall.message)
      for (const alert of alerts.slice(0, 5)) expect(words).toContain(`! ${alert.trim()}`)
      expect(words).toContain('and 7 more')
      expect(words.split(`again ${'again '.repeat(39)}`)).toHaveLength(2)
      expect(words).toMatch(
        /Why runs failed: 03-01 12:00:00 ingest-candles ccxt-bitvavo a-coin-with-a-long-name 1m and 14 more: binance did not answer within 20 s/,
      )
      expect(lines.find((line) => line.startsWith('100 coins'))).toMatch(/fresh +late +stale +none yet/)
      expect(lines.find((line) => line.startsWith('1m'))).toMatch(
        /91 +8 +1 +2 min +5 days \(a-long-coin-name-a-…\)/,
      )
      expect(
        lines.filter((line) => /^03-01 .*(?:done|failed)(?: \(attempt \d+\))?$/.test(line)),
      ).toHaveLength(3)
    },
  )

  test('fits in 24 lines where nothing needs more', () => {
    const overall = { ...crowded.overall, others: [] }
    const status = { ...crowded, overall, runs: many(30, () => aRun()) }
    expect(textOf(status, ['The disk is nearly full.']).split('\n').length).toBeLessThan(24)
  })

  test('has a line for each coin where they fit, and uses what is left for the runs', () => {
    const coins = ['bitcoin', 'ethereum', 'ripple']
    const series = coins.flatMap((coinId) => [
      aSeries({ coinId }),
      aSeries({ coinId, timeframe: '1h', secondsBehind: (2 * hour + 5 * minute) / 1_000, state: 'late' }),
    ])
    const runs = many(30, () => aRun())
    const lines = textOf(aStatus({ series, runs })).split('\n')
    expect(lines).toHaveLength(23)
    expect(lines.slice(0, 4)).toEqual([
      'Everything is fine.',
      '',
      expect.stringMatching(/^behind +1m +1h$/),
      expect.stringMatching(/^bitcoin +14 s +2 h late$/),
    ])
    expect(lines.filter((line) => line.includes('ingest-candles binance 1m  done'))).toHaveLength(13)
    expect(lines.at(-1)).toBe('Workers: running. Queue: postgres. PostgreSQL 18.1, 12.3 MB.')
  })

  test('has colours only where they are asked for, and they take no room', () => {
    expect(textOf(crowded, alerts)).not.toContain('\u001b')
    const coloured = textOf(crowded, alerts, true)
    expect(coloured).toContain('\u001b[31m401 series are stale')
    expect(coloured).toContain('\u001b[31m! Alert 0')
    expect(coloured).toContain('\u001b[31mfailed\u001b[39m')
    expect(stripVTControlCharacters(coloured)).toBe(textOf(crowded, alerts))
  })

  test('begins with the open alerts that the database has, and JSON is as the page has it', async () => {
    await using site = await openSite()
    const message = 'The disk will be full in about 3 days: make room.'
    await reconcileIncidents(site.database.pool, [{ key: 'disk.filling', message }], now, false)
    const [text, json] = await site.runLines(['status', 'status --json'])
    expect(text).toMatchObject({ code: 0, stderr: '' })
    expect(text?.stdout).toContain(`\n! ${message}\n`)
    expect(text?.stdout).not.toContain('\u001b')
    expect(text?.stdout.split('\n').length).toBeLessThanOrEqual(24)
    const status: Status = JSON.parse(json?.stdout ?? '')
    expect(Object.keys(status).toSorted()).toEqual(Object.keys(aStatus()).toSorted())
    expect(status.overall.state).toBe('attention')
  })
})
