import { expect, test } from 'vitest'
import { toInstant } from '../../src/market/instant.ts'
import { differences, openSite, servedLines, storedLines } from './support/site.ts'

test('any other exchange is followed and read through ccxt by its name', async () => {
  await using site = await openSite()
  const variables = { CCXT_BINANCE_BASE_URL: site.exchange.urlOf('binance') }
  const lines = [
    'coins add bitcoin --market ccxt:binance:BTCUSDT --json',
    'backfill bitcoin --timeframe 1h --from 2024-03-01 --to 2024-03-03 --source ccxt:binance --force --json',
    'queues --json',
    'coins add bitcoin --market ccxt:binance',
    'coins add bitcoin --market ccxt:binanse:BTC/USDT',
  ]
  const [added, loaded, queues, noSymbol, misspelt] = await site.runLines(
    lines.map((line) => ({ line, variables })),
  )
  expect(added).toMatchObject({ code: 0 })
  expect(JSON.parse(added?.stdout ?? '').coins[0].added).toEqual(['ccxt:binance:BTC/USDT'])
  expect(loaded).toMatchObject({ code: 0 })
  expect(JSON.parse(loaded?.stdout ?? '').result).toMatchObject({ new: 48, remaining: 0 })
  const range = { from: toInstant(Date.UTC(2024, 2, 1)), to: toInstant(Date.UTC(2024, 2, 3)) }
  const stored = await storedLines(site, 'bitcoin', '1h')
  expect(differences(stored, servedLines('BTCUSDT', '1h', range))).toEqual([])
  expect(JSON.parse(queues?.stdout ?? '').queues).toContainEqual(
    expect.objectContaining({ queue: 'ccxt-binance', failed: 0 }),
  )
  for (const refused of [noSymbol, misspelt]) expect(refused).toMatchObject({ code: 2, stdout: '' })
  expect(noSymbol?.stderr).toContain('is not SOURCE:SYMBOL')
  expect(misspelt?.stderr).toContain('has no exchange "binanse". Did you mean "binance"?')
})
