import { describe, expect, test } from 'vitest'
import type { CoinAnswer } from '../../../src/ingest/prices/coin-answers.ts'
import { PriceRun } from '../../../src/ingest/prices/price-run.ts'
import { priceMarketsOf } from '../../../src/ingest/prices/price-sources.ts'
import { toDecimal } from '../../../src/market/decimal.ts'
import { hour, plus, toInstant } from '../../../src/market/instant.ts'

const now = toInstant(Date.parse('2024-03-01T12:00:00Z'))

const markets = priceMarketsOf({
  id: 'bitcoin',
  symbol: 'BTC',
  name: 'Bitcoin',
  markets: ['binance', 'okx', 'kraken', 'bybit'].map((source, preference) => ({
    coinId: 'bitcoin',
    source,
    symbol: 'BTCUSD',
    preference,
    trackedFrom: now,
  })),
})
type Name = 'coingecko' | 'binance' | 'okx' | 'kraken' | 'bybit'

type Wanting = Readonly<{ last?: string; since?: number; sources?: readonly Name[] }>

/** A run for one coin that was priced five minutes ago, or has never been. */
function aRun({ last, since = -5 * 60_000, sources = ['coingecko', 'binance', 'okx'] }: Wanting = {}) {
  return new PriceRun([
    {
      coinId: 'bitcoin',
      markets: sources.flatMap((name) => markets.find(({ source }) => source.id === name) ?? []),
      last: last === undefined ? undefined : toDecimal(last),
      withoutPriceSince: plus(now, since),
    },
  ])
}

const answer = (source: string, price: string): CoinAnswer => ({
  kind: 'accepted',
  source,
  market: `BTC on ${source}`,
  coinId: 'bitcoin',
  raw: price,
  price: { market: `BTC on ${source}`, timestamp: now, price: toDecimal(price) },
})

/** Gives the answers of the sources in turn, as long as they are asked; what is stored and rejected in the end. */
function play(run: PriceRun, prices: Readonly<Record<string, string | null>>) {
  const asked: string[] = []
  const stored: string[] = []
  const rejected: string[] = []
  const write = (decisions: ReturnType<PriceRun['take']>) => {
    stored.push(...decisions.stored.map(({ source, price }) => `${source} ${price.price}`))
    rejected.push(...decisions.rejected.map(({ source, raw }) => `${source} ${raw}`))
  }
  for (
    let priceRequests = run.nextPriceRequests();
    priceRequests.length > 0;
    priceRequests = run.nextPriceRequests()
  ) {
    for (const priceRequest of priceRequests) {
      const { id } = priceRequest.source
      asked.push(id)
      const price = prices[id]
      if (price === undefined) run.fail(priceRequest, 'it is down')
      else if (price !== null) write(run.take([answer(id, price)]))
      else {
        const none = {
          kind: 'no-price',
          why: 'its price is 0',
          source: id,
          market: '',
          coinId: 'bitcoin',
        } as const
        write(run.take([none]))
      }
    }
  }
  write(run.finish(now, hour))
  return { asked, stored, rejected }
}

describe('a coin with a stored price', () => {
  test('takes the first answer that agrees with it, and asks nobody else', () => {
    expect(play(aRun({ last: '100' }), { coingecko: '101' })).toEqual({
      asked: ['coingecko'],
      stored: ['coingecko 101'],
      rejected: [],
    })
  })

  test.each(['1000', '10', '0.001', '99999'])(
    'does not take %s, a factor of 10 or more away, where another source agrees with the stored one',
    (far) => {
      const run = aRun({ last: '100' })
      expect(play(run, { coingecko: far, binance: '100' })).toEqual({
        asked: ['coingecko', 'binance'],
        stored: ['binance 100'],
        rejected: [`coingecko ${far}`],
      })
      expect(run.priced).toEqual({ binance: 1 })
      expect(run.counts).toEqual({ received: 2, withoutPrice: 0, quarantined: 1, confirming: 0 })
    },
  )

  test('takes a true move of 90 % in the same run, once a second source agrees', () => {
    const run = aRun({ last: '100' })
    expect(play(run, { coingecko: '9', binance: '8.5' })).toEqual({
      asked: ['coingecko', 'binance'],
      stored: ['coingecko 9'],
      rejected: [],
    })
    expect(run.counts).toEqual({ received: 2, withoutPrice: 0, quarantined: 0, confirming: 1 })
  })

  test('takes the answer that two sources agree on, and rejects the one that stands alone', () => {
    expect(play(aRun({ last: '100' }), { coingecko: '100000', binance: '9', okx: '8.5' })).toEqual({
      asked: ['coingecko', 'binance', 'okx'],
      stored: ['binance 9'],
      rejected: ['coingecko 100000'],
    })
  })

  test('is asked for everywhere before its only answer is rejected', () => {
    const run = aRun({ last: '100', sources: ['coingecko', 'binance', 'okx', 'kraken', 'bybit'] })
    expect(play(run, { coingecko: '9', okx: null })).toEqual({
      asked: ['coingecko', 'binance', 'okx', 'kraken', 'bybit'],
      stored: [],
      rejected: ['coingecko 9'],
    })
    expect(run.unpriced).toEqual({
      bitcoin: expect.stringMatching(
        /^binance: it is down; okx: its price is 0; .*coingecko: price 9 is a factor of 10 or more away from 100$/,
      ),
    })
  })

  test('that has been without a new one for an hour takes what its only source answers', () => {
    for (const since of [-hour, -30 * 24 * hour])
      expect(play(aRun({ last: '100', since, sources: ['coingecko'] }), { coingecko: '9' }).stored).toEqual([
        'coingecko 9',
      ])
    expect(play(aRun({ last: '100', since: 1 - hour, sources: ['coingecko'] }), { coingecko: '9' })).toEqual({
      asked: ['coingecko'],
      stored: [],
      rejected: ['coingecko 9'],
    })
  })

  test('takes the best answer after that hour, though no two agree', () => {
    const prices = { coingecko: '9', binance: '0.1', okx: '70000' }
    expect(play(aRun({ last: '1000', since: -hour }), prices)).toMatchObject({
      stored: ['coingecko 9'],
      rejected: ['binance 0.1', 'okx 70000'],
    })
  })

  test('still prefers the source that agrees with the stored one after that hour', () => {
    expect(play(aRun({ last: '100', since: -hour }), { coingecko: '9', binance: '99' })).toMatchObject({
      stored: ['binance 99'],
      rejected: ['coingecko 9'],
    })
  })

  test('is not confirmed by another market of the same source', () => {
    const run = aRun({ last: '100', sources: ['binance', 'binance'] })
    expect(play(run, { binance: '9' })).toMatchObject({ stored: [], rejected: ['binance 9', 'binance 9'] })
  })
})

describe('a coin that never had a price', () => {
  test('has its first one confirmed by the next source', () => {
    const run = aRun({})
    expect(play(run, { coingecko: '100', binance: '101', okx: '102' })).toEqual({
      asked: ['coingecko', 'binance'],
      stored: ['coingecko 100'],
      rejected: [],
    })
    expect(run.counts).toMatchObject({ received: 2, confirming: 1 })
  })

  test('takes the only one there is', () => {
    expect(play(aRun({ sources: ['coingecko'] }), { coingecko: '100' }).stored).toEqual(['coingecko 100'])
    expect(play(aRun({}), { coingecko: '100' }).stored).toEqual(['coingecko 100'])
    expect(play(aRun({}), { coingecko: null, binance: '7', okx: null }).stored).toEqual(['binance 7'])
  })

  test('asks no more than two other sources for a second opinion', () => {
    const run = aRun({ sources: ['coingecko', 'binance', 'okx', 'kraken', 'bybit'] })
    expect(play(run, { coingecko: '100' })).toMatchObject({
      asked: ['coingecko', 'binance', 'okx'],
      stored: ['coingecko 100'],
    })
  })

  test('takes what two of three agree on', () => {
    expect(play(aRun({}), { coingecko: '7', binance: '101', okx: '102' })).toMatchObject({
      stored: ['binance 101'],
      rejected: ['coingecko 7'],
    })
  })

  test('takes neither of two that contradict each other until it has waited for an hour', () => {
    const prices = { coingecko: '7', binance: '101' }
    expect(play(aRun({}), prices)).toMatchObject({ stored: [], rejected: ['coingecko 7', 'binance 101'] })
    expect(play(aRun({ since: -hour }), prices)).toMatchObject({
      stored: ['coingecko 7'],
      rejected: ['binance 101'],
    })
  })
})

test('a coin without any answer says why, source by source', () => {
  const run = aRun({})
  expect(play(run, { coingecko: null, binance: null })).toEqual({
    asked: ['coingecko', 'binance', 'okx'],
    stored: [],
    rejected: [],
  })
  expect(run.unpriced).toEqual({
    bitcoin: 'coingecko: its price is 0; binance: its price is 0; okx: it is down',
  })
  expect(aRun({ sources: [] }).unpriced).toEqual({ bitcoin: 'no source has it' })
})
