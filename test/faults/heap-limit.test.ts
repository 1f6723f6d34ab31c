import { describe, expect, test } from 'vitest'
import { toInstant } from '../../src/market/instant.ts'
import { differences, openSite, servedLines, storedLines } from '../cli/support/site.ts'

describe('a backfill', () => {
  test('with the least memory that is accepted loads a month of minutes exactly', async () => {
    await using site = await openSite()
    const command = 'backfill bitcoin --timeframe 1m --from 2024-03-01 --to 2024-04-01 --force --no-archive'
    const limited = { NODE_OPTIONS: '--max-old-space-size=128' }
    expect(await site.run('coins add bitcoin --market binance:BTCUSDT')).toMatchObject({ code: 0 })
    expect(await site.run(command, limited)).toMatchObject({ code: 0 })
    const range = { from: toInstant(Date.UTC(2024, 2, 1)), to: toInstant(Date.UTC(2024, 3, 1)) }
    expect(
      differences(await storedLines(site, 'bitcoin', '1m'), servedLines('BTCUSDT', '1m', range)),
    ).toEqual([])
  })
})
