import { describe, expect, test } from 'vitest'
import { candidatesFor, provenSuccessor } from '../../src/ingest/listing/successor.ts'
import { day, plus } from '../../src/market/instant.ts'
import type { ListedMarket } from '../../src/sources/listing/listed-market.ts'
import type { MarketLife } from '../../src/store/coins/instruments.ts'
import type { KnownMarket } from '../../src/store/coins/listed-markets.ts'
import { at } from '../store/loading.ts'

const lastLook = at('2024-09-10T03:17Z')
const before = plus(lastLook, -400 * day)

const life: MarketLife = {
  coinId: 'polygon',
  symbol: 'XMATICZUSD',
  trackedFrom: before,
  isFirst: true,
  listedTo: undefined,
  lastListedAt: lastLook,
  missingSince: undefined,
  haltedSince: undefined,
  relistedAt: undefined,
  sharesMarket: false,
}

const known = (symbol: string, parts: Partial<KnownMarket> = {}): KnownMarket => ({
  symbol,
  base: symbol.slice(0, -3),
  quote: 'USD',
  alsoCalled: [],
  ownBase: undefined,
  baseName: undefined,
  kind: undefined,
  listedAt: undefined,
  appearedAt: before,
  lastSeenAt: lastLook,
  ...parts,
})

const market = (symbol: string, parts: Partial<ListedMarket> = {}): ListedMarket => ({
  symbol,
  base: symbol.slice(0, -3),
  quote: 'USD',
  trading: true,
  ...parts,
})

const old = known('XMATICZUSD', { base: 'MATIC', alsoCalled: ['MATICUSD', 'MATIC/USD'] })
const eth = known('ETHUSD')

const listings = (now: readonly ListedMarket[], past: readonly KnownMarket[] = [old, eth]) => ({
  now: new Map(now.map((one) => [one.symbol, one])),
  before: new Map(past.map((one) => [one.symbol, one])),
})

describe('a market that vanished', () => {
  const renamed = market('POLUSD', { base: 'POL', alsoCalled: ['MATICUSD'] })

  test('goes on under the symbol that still answers to one of its names', () => {
    expect(provenSuccessor(life, listings([market('ETHUSD'), renamed]))).toEqual(renamed)
    expect(provenSuccessor(life, listings([market('MATICUSD', { base: 'MATIC' })]))?.symbol).toBe('MATICUSD')
  })

  test.each([
    ['what has nothing of it but its moment', market('POLUSD')],
    ['what is sold for another money', { ...renamed, quote: 'EUR' }],
    ['what is not traded', { ...renamed, trading: false }],
    ['what says that it began later', { ...renamed, listedAt: plus(lastLook, 1) }],
  ])('is not taken for %s', (_what, candidate) => {
    expect(provenSuccessor(life, listings([candidate]))).toBeUndefined()
  })

  test('is not taken for what stood beside it before', () => {
    expect(provenSuccessor(life, listings([renamed], [old, known('POLUSD')]))).toBeUndefined()
  })

  test('is not taken for one of two, nor for anything that came after a look without both', () => {
    const other = market('PLGUSD', { alsoCalled: ['MATIC/USD'] })
    expect(provenSuccessor(life, listings([renamed, other]))).toBeUndefined()
    const away = { ...life, missingSince: plus(lastLook, day) }
    expect(provenSuccessor(away, listings([renamed]))).toBeUndefined()
  })

  test('has for candidates what appeared since for the same money, the likeliest first', () => {
    const listedAt = plus(lastLook, -30 * day)
    const past = [
      { ...old, listedAt },
      eth,
      known('BACKUSD', { appearedAt: plus(lastLook, day), lastSeenAt: plus(lastLook, day) }),
    ]
    const now = [
      market('ETHUSD'),
      market('ZZZUSD'),
      market('AAAUSD'),
      market('BACKUSD'),
      market('POLUSD', { base: 'POL', listedAt }),
      market('POLEUR', { quote: 'EUR' }),
      market('MATIC2USD', { base: 'MATIC' }),
      market('MMMUSD'),
    ]
    expect(candidatesFor(life, listings(now, past))).toEqual([
      'POLUSD',
      'MATIC2USD',
      'AAAUSD',
      'BACKUSD',
      'MMMUSD',
    ])
    expect(candidatesFor({ ...life, symbol: 'NEVERUSD' }, listings(now, past))).toEqual([])
  })
})
