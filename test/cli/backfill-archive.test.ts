import { expect, test } from 'vitest'
import { toInstant } from '../../src/market/instant.ts'
import { differences, openSite, servedLines, storedLines } from './site.ts'

test('a backfill reads whole months from files, asks for the rest, and its plan says so', async () => {
  await using site = await openSite()
  const wish = 'backfill bitcoin --timeframe 5m --from 2024-01-01 --to 2024-02-02 --force'
  const [planned, loaded, again] = await site.runLines([
    `${wish} --dry-run`,
    `${wish} --json`,
    `${wish} --dry-run --json`,
  ])
  expect(planned).toMatchObject({ code: 0, stderr: '' })
  expect(planned?.stdout).toMatch(/BTCUSDT .* 9,216 +1 +1\n/)
  expect(planned?.stdout).toMatch(/1 monthly file and 0 daily files of Binance's archive, about 1 MB;/)
  expect(loaded).toMatchObject({ code: 0 })
  expect(JSON.parse(loaded?.stdout ?? '')).toMatchObject({
    plan: {
      archive: { monthly: 1, daily: 0, requests: 2 },
      requests: 1,
      series: [
        { files: [{ kind: 'monthly', from: '2024-01-01T00:00:00.000Z', to: '2024-02-01T00:00:00.000Z' }] },
      ],
    },
    result: { received: 9_216, new: 9_216, requests: 1, remaining: 0 },
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
