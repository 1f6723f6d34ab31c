import { describe, expect, test } from 'vitest'
import { type CheckedPrice, checkPrices } from '../../src/market/coin-price-check.ts'
import { hour } from '../../src/market/instant.ts'
import type { InjectedFault } from '../../src/replay/faults/injected-fault.ts'
import type { SourceId } from '../../src/settings/source-ids.ts'
import { isSourceId, sources } from '../../src/sources/catalog.ts'
import type { Source } from '../../src/sources/source.ts'
import { halfPast, play } from './playing.ts'

/** What every source calls bitcoin and ethereum here. */
const markets: Readonly<Partial<Record<SourceId, readonly [string, string]>>> = {
  binance: ['BTCUSDT', 'ETHUSDT'],
  coinbase: ['BTC-USDT', 'ETH-USDT'],
  kraken: ['XBTUSDT', 'ETHUSDT'],
  okx: ['BTC-USDT', 'ETH-USDT'],
  bybit: ['BTCUSDT', 'ETHUSDT'],
  kucoin: ['BTC-USDT', 'ETH-USDT'],
  bitstamp: ['btcusdt', 'ethusdt'],
  bitfinex: ['tBTCUST', 'tETHUST'],
  gateio: ['BTC_USDT', 'ETH_USDT'],
  cryptocom: ['BTC_USDT', 'ETH_USDT'],
  htx: ['btcusdt', 'ethusdt'],
  mexc: ['BTCUSDT', 'ETHUSDT'],
  coingecko: ['bitcoin', 'ethereum'],
  coinpaprika: ['btc-bitcoin', 'eth-ethereum'],
}
const all = Object.entries(markets).filter(([id]) => isSourceId(id)) as [SourceId, [string, string]][]

/** What is made of both coins' tickers while the exchange has this fault. */
async function decisions(id: SourceId, fault?: InjectedFault): Promise<(CheckedPrice | undefined)[]> {
  const { prices }: Source = sources[id]
  if (!prices) throw new Error(`${id} has no prices`)
  await using exchange = await play({
    limits: 'none',
    faults: fault === undefined ? [] : [{ source: id, when: 'always', fault }],
  })
  const asked = markets[id] ?? []
  const pages = prices.pageSize === 1 ? asked.map((market) => [market]) : [asked]
  const rows = []
  for (const page of pages) {
    const { path, query } = prices.request(page)
    const response = await fetch(`${exchange.urlOf(id)}${path}?${new URLSearchParams(query)}`)
    rows.push(...prices.parse(await response.text(), halfPast, page))
  }
  const checked = checkPrices(rows, { now: halfPast, staleAfterMs: hour })
  return asked.map((market) =>
    checked.find((row) => (row.kind === 'accepted' ? row.price.market : row.market) === market),
  )
}

describe.each(all)('the first ticker of %s', (id) => {
  // Each of its answers is about one market, which is the first.
  const isSingle = sources[id as 'coinbase'].prices?.pageSize === 1

  test.each([
    ['zero-price', 'its price is 0'],
    ['null-price', 'it gives no price'],
  ] as const)('has no price under %s, and the second one has', async (name, why) => {
    const [first, second] = await decisions(id, { name })
    expect(first).toMatchObject({ kind: 'no-price', why })
    if (!isSingle) expect(second).toMatchObject({ kind: 'accepted' })
  })

  test('is a thousand times as dear under far-price', async () => {
    const priceOf = (row: CheckedPrice | undefined) =>
      row?.kind === 'accepted' ? Number(row.price.price) : 0
    const [honest, honestSecond] = await decisions(id)
    const [first, second] = await decisions(id, { name: 'far-price' })
    expect(priceOf(first) / priceOf(honest)).toBeCloseTo(1_000)
    if (!isSingle) expect(second).toEqual(honestSecond)
  })
})

test('the listing of each exchange has its first market halted under halted-market, and no other', async () => {
  for (const [id, [first, second]] of all) {
    const { listing }: Source = sources[id]
    if (!listing) continue
    await using exchange = await play({
      limits: 'none',
      faults: [{ source: id, when: 'always', fault: { name: 'halted-market' } }],
    })
    const { path, query } = listing.request()
    const response = await fetch(`${exchange.urlOf(id)}${path}?${new URLSearchParams(query)}`)
    const trading = listing.parse(await response.text()).filter((market) => market.trading)
    const symbols = trading.map(({ symbol }) => symbol)
    expect([id, symbols.includes(first), symbols.includes(second)]).toEqual([id, false, true])
  }
})
