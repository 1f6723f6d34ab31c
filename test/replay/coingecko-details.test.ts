import { expect, test } from 'vitest'
import { toJsonText } from '../../src/replay/answer.ts'
import { coingeckoEndpoint } from '../../src/replay/endpoints/coingecko.ts'
import { coinDetails } from '../../src/sources/coingecko.ts'
import { halfPast } from './playing.ts'

const ask = (path: string, query: Readonly<Record<string, string>> = {}) =>
  coingeckoEndpoint.route(path, new URLSearchParams(query), halfPast, coingeckoEndpoint.limit).answer

test('the source reads the details of a coin, and of a token the chain it is on', () => {
  const read = (coinId: string) => {
    const { path, query } = coinDetails.request(coinId)
    return coinDetails.parse(toJsonText(ask(path, query).body), coinId)
  }
  expect(read('pepe')).toEqual({
    symbol: 'PEPE',
    name: 'Pepe',
    imageUrl: expect.stringMatching(/^https:.*pepe-token\.jpeg/),
    description: expect.stringContaining('recording'),
    website: 'https://pepe.example/',
    blockchainType: 'ethereum',
  })
  expect(read('bitcoin')).not.toHaveProperty('blockchainType')
})

test('a coin that is not played, and a misspelled flag, are refused', () => {
  expect(ask('/api/v3/coins/nope')).toEqual({ status: 404, body: { error: 'coin not found' } })
  expect(ask('/api/v3/coins/bitcoin', { ticker: 'false' })).toMatchObject({ status: 400 })
})
