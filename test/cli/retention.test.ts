import { expect, test } from 'vitest'
import { toIso } from '../../src/market/instant.ts'
import {
  daysAgo,
  freshData,
  minutePartition,
  partitionsNow,
  pricePartition,
  someCandles,
  somePrices,
} from '../lifecycle/retaining.ts'
import { aCoin } from '../store/loading.ts'
import { openSite } from './support/site.ts'

test('beacon retention tells what it would do and why, does it, and then has nothing to do', async () => {
  await using site = await openSite()
  const { pool } = site.database
  const coinId = await aCoin(pool)
  await freshData(pool, coinId)
  await someCandles(pool, coinId, daysAgo(9), 20)
  await someCandles(pool, coinId, daysAgo(7), 500, '5m')
  await someCandles(pool, coinId, daysAgo(40), 501, '5m')
  await somePrices(pool, coinId, daysAgo(32), 40)
  const before = await partitionsNow(pool)

  const [reported, asJson, refused, wrong] = await site.runLines([
    'retention --dry-run',
    'retention --dry-run --json',
    'retention',
    'retention --force',
  ])
  // The message that the run ends with, and its exit status.
  expect(reported).toMatchObject({ code: 1, stderr: refused?.stderr.split('\n').slice(-2).join('\n') })
  expect(asJson?.code).toBe(1)
  // A row and the lines that its last column goes on with.
  const rows = (reported?.stdout ?? '').replaceAll(/\n +/g, ' ').split('\n')
  const line = (text: string) => rows.find((each) => each.startsWith(text)) ?? ''
  expect(line(minutePartition(9))).toMatch(/ 20 +\S+ kB +dropped +ended more than 7 days ago$/)
  expect(line(minutePartition(1))).toMatch(/ 100 +\S+ kB +kept +kept until \S+ 00:00$/)
  expect(line(pricePartition(32))).toMatch(
    / 40 +\S+ kB +rolled up, compared and dropped +ended more than 30 days ago$/,
  )
  expect(line('ohlcv_data_5m')).toMatch(
    / 288 .* held back .* more than half of ohlcv_data_5m would be deleted at once$/,
  )
  expect(line('ingest_runs')).toMatch(/\(started_at\) +0 +deleted$/)
  expect(line('notifications')).toMatch(/\(created_at\) +0 +archived and deleted$/)

  const plan = JSON.parse(asJson?.stdout ?? '')
  expect(plan).toMatchObject({
    refusal: null,
    error: expect.stringMatching(/^more than half of ohlcv_data_5m/),
    unbounded: [],
    holds: [],
  })
  expect(plan.partitions).toContainEqual({
    table: 'market_data',
    name: pricePartition(32),
    from: toIso(daysAgo(32)),
    to: toIso(daysAgo(31)),
    rows: 40,
    bytes: expect.any(Number),
    ending: 'roll-up',
    keptUntil: toIso(daysAgo(1)),
    decision: 'goes',
    reason: 'ended more than 30 days ago',
    isExact: true,
    hold: null,
  })

  // It does what nobody has to agree to, and then says what is left.
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused?.stderr).toContain(`${pricePartition(32)} is deleted with 40 rows\n`)
  expect(refused?.stderr).toMatch(
    /error: more than half of ohlcv_data_5m would be deleted at once.*beacon retention --yes\n$/,
  )
  expect(wrong).toMatchObject({ code: 2 })

  const [agreeing, agreed, nothing] = await site.runLines([
    'retention --dry-run --yes',
    'retention --yes',
    'retention --json',
  ])
  expect(agreeing).toMatchObject({ code: 0, stderr: '' })
  expect(agreed).toMatchObject({ code: 0 })
  expect(agreed?.stdout).toMatch(/^Dropped 2 partitions with 501 rows, \S+ kB\.\n$/)
  expect(JSON.parse(nothing?.stdout ?? '')).toMatchObject({ dropped: [], rows: 0, bytes: 0, heldBack: [] })
  const gone = before.filter((name) => !agreedPartitions(plan).has(name))
  expect(await partitionsNow(pool)).toEqual(gone)
})

const agreedPartitions = ({ partitions }: { partitions: { name: string; decision: string }[] }) =>
  new Set(partitions.filter(({ decision }) => decision !== 'stays').map(({ name }) => name))

test('beacon retention --dry-run fails where the clocks disagree, as the run does', async () => {
  await using site = await openSite()
  const { pool } = site.database
  await someCandles(pool, await aCoin(pool), daysAgo(9), 20)
  const [rehearsed, asJson, run] = await site.runLines([
    'retention --dry-run',
    'retention --dry-run --json',
    'retention',
  ])
  const message = /^error: nothing is deleted: the clock says .* newest candle or price is of /
  expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(message) })
  // Each was run a moment later than the one before.
  const withoutTime = (text: string | undefined) => text?.replace(/clock says \S+ \S+/, 'clock says')
  const error = `error: ${JSON.parse(asJson?.stdout ?? '').error}\n`
  expect([rehearsed?.stderr, error].map(withoutTime)).toEqual(Array(2).fill(withoutTime(run?.stderr)))
  expect([rehearsed?.code, asJson?.code]).toEqual([1, 1])
  expect(rehearsed?.stdout).toContain('\nnothing, because the ')
})
