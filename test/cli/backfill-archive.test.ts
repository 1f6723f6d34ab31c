import type { Pool } from 'pg'
import { expect, test } from 'vitest'
import { toInstant } from '../../src/market/instant.ts'
import { eventually } from '../support/eventually.ts'
import { differences, openSite, servedLines, storedLines } from './support/site.ts'

const waitingForLocks = async (pool: Pool): Promise<number> =>
  Math.min(1, Number((await pool.query('select count(*) from pg_locks where not granted')).rows[0]?.count))

test('a backfill reads whole months from files, asks for the rest, and its plan says so', async () => {
  await using site = await openSite()
  const request = 'backfill bitcoin --timeframe 5m --from 2024-01-01 --to 2024-02-02 --force'
  const [planned, loaded, again] = await site.runLines([
    `${request} --dry-run`,
    `${request} --json`,
    `${request} --dry-run --json`,
  ])
  expect(planned).toMatchObject({ code: 0, stderr: '' })
  expect(planned?.stdout).toMatch(/BTCUSDT .* 9,216 +1 +1 +< 1 s /)
  expect(planned?.stdout).toMatch(/1 monthly file of Binance's archive, about 1 MB in 2 downloads,/)
  expect(loaded).toMatchObject({ code: 0 })
  expect(JSON.parse(loaded?.stdout ?? '')).toMatchObject({
    plan: {
      archive: { monthly: 1, daily: 0, requests: 2 },
      requests: 1,
      series: [
        { files: [{ kind: 'monthly', from: '2024-01-01T00:00:00.000Z', to: '2024-02-01T00:00:00.000Z' }] },
      ],
    },
    result: { received: 9_216, new: 9_216, requests: 1, files: 1, fileRequests: 2, remaining: 0 },
  })
  const range = { from: toInstant(Date.UTC(2024, 0, 1)), to: toInstant(Date.UTC(2024, 1, 2)) }
  const stored = await storedLines(site, 'bitcoin', '5m')
  expect(differences(stored, servedLines('BTCUSDT', '5m', range))).toEqual([])
  const asked = (source: string) => site.exchange.requests.filter((request) => request.source === source)
  expect([asked('binance'), asked('binance-archive')].map(({ length }) => length)).toEqual([1, 2])
  expect(JSON.parse(again?.stdout ?? '').plan).toMatchObject({
    candles: 0,
    requests: 0,
    archive: { monthly: 0, daily: 0, requests: 0, bytes: 0 },
  })
})

test('reads several files at once, and leaves nothing of one when it is killed in the middle of it', async () => {
  await using site = await openSite()
  const { pool } = site.database
  const request = 'backfill bitcoin --timeframe 1m --from 2024-01-01 --force --to'
  const range = { from: toInstant(Date.UTC(2024, 0, 1)), to: toInstant(Date.UTC(2024, 0, 31)) }
  const holder = await pool.connect()
  try {
    // Whoever comes as far as this day waits, with nineteen days written and not committed.
    await holder.query(`
      begin;
      create table ohlcv_data_1m_y2024m01d20 partition of ohlcv_data_1m for values from ('2024-01-20') to ('2024-01-21');
      commit; begin;
      lock table ohlcv_data_1m_y2024m01d20 in share mode`)
    // The month, and three days that are being fetched meanwhile.
    site.exchange.setFaults(
      ['01', '02', '03'].map((day) => ({
        path: `/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02-${day}.zip`,
        when: 'always',
        fault: { name: 'stall' },
      })),
    )
    const killed = site.start(`${request} 2024-02-04`)
    await eventually(() => site.exchange.requests.filter(({ fault }) => fault === 'stall').length, 3)
    await eventually(async () => await waitingForLocks(pool), 1)
    await killed.stop('SIGKILL')
    await holder.query('rollback')
  } finally {
    holder.release(true)
  }
  expect(await storedLines(site, 'bitcoin', '1m')).toEqual([])

  site.exchange.setFaults([])
  // A day less is another job: the killed one is believed to be at work for half a minute.
  const [second] = await site.runLines([`${request} 2024-01-31 --json`])
  expect(second).toMatchObject({ code: 0 })
  const stored = await storedLines(site, 'bitcoin', '1m')
  expect(differences(stored, servedLines('BTCUSDT', '1m', range))).toEqual([])
  expect(JSON.parse(second?.stdout ?? '').result).toMatchObject({
    new: stored.length,
    revised: 0,
    knownBefore: 0,
    failed: [],
  })
})
