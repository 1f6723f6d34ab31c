import { describe, expect, test } from 'vitest'
import { hour, minute, plus } from '../../src/market/instant.ts'
import { WrittenNumber } from '../../src/replay/answer.ts'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { sources } from '../../src/sources/catalog.ts'
import { decisionOn, now, type TickerFields, writers } from './tickers.ts'

const pricing = sourceIds.filter((id) => 'prices' in sources[id])

test('every source that has prices is among these', () => {
  expect(Object.keys(writers).toSorted()).toEqual(pricing.toSorted())
})

describe.each(pricing)('a ticker of %s', (id) => {
  const has = (field: keyof TickerFields) => writers[id]?.has.includes(field) === true

  test('is a price of now', () => {
    expect(decisionOn(id, {})).toMatchObject({
      kind: 'accepted',
      price: { market: writers[id]?.market, timestamp: now, price: '62000.5' },
      dropped: [],
    })
  })

  test.each([
    ['0', '0'],
    ['0.00000000', '0.00000000'],
    ['-0.00', '-0.00'],
    ['0E-8', '0E-8'],
    ['the number 0', 0],
    ['the number 0e-8', new WrittenNumber('0e-8')],
    ['the number -0.0', new WrittenNumber('-0.0')],
  ])('with a price of %s has none', (_, price) => {
    expect(decisionOn(id, { price })).toMatchObject({ kind: 'no-price', why: 'its price is 0' })
  })

  test.each([null, '', ' ', 'NaN', 'nan'])('with a price of %j has none', (price) => {
    expect(decisionOn(id, { price })).toMatchObject({ kind: 'no-price', why: 'it gives no price' })
  })

  test.each(['Infinity', '0x10', '1,5', 'soon', true, {}])('with a price of %j is rejected', (price) => {
    expect(decisionOn(id, { price })).toMatchObject({
      kind: 'rejected',
      market: writers[id]?.market,
      reason: 'the price is not a number',
    })
  })

  test.runIf(has('time'))('of longer than an hour ago has no price of now', () => {
    expect(decisionOn(id, { time: plus(now, -hour) })).toMatchObject({ kind: 'accepted' })
    expect(decisionOn(id, { time: plus(now, -hour - 1_000) })).toMatchObject({
      kind: 'no-price',
      why: 'its price is of 2024-03-01T10:59:59.000Z',
    })
  })

  test.runIf(has('time'))('from the future is rejected', () => {
    expect(decisionOn(id, { time: plus(now, 6 * minute) })).toMatchObject({ kind: 'rejected' })
  })

  test.runIf(has('traded')).each(['0', '0.00000000', 0])(
    'that counts %j trades in 24 hours has no price of now',
    (traded) => {
      expect(decisionOn(id, { traded })).toMatchObject({
        kind: 'no-price',
        why: 'it had no trade in 24 hours',
      })
    },
  )

  test.runIf(has('traded')).each([null, 'nan', ''])(
    'that does not count its trades (%j) is a price',
    (traded) => {
      expect(decisionOn(id, { traded })).toMatchObject({ kind: 'accepted', dropped: [] })
    },
  )

  test.runIf(has('volume'))('with a volume of 0 does not know it', () => {
    const decision = decisionOn(id, { volume: '0.00' })
    expect(decision).toMatchObject({ kind: 'accepted', dropped: [] })
    expect(decision).not.toHaveProperty('price.volume24h')
  })

  test.runIf(has('change'))('with a change of 0 has one', () => {
    expect(decisionOn(id, { change: '0.00' })).toHaveProperty('price.change24h')
  })

  test.each([
    ['volume', 'volume24h', '-1'],
    ['volume', 'volume24h', 'many'],
    ['volume', 'volume24h', '1e31'],
    ['change', 'change24h', '123456789.12'],
    ['change', 'change24h', {}],
    ['change', 'change24h', '-123.4'],
  ] as const)('with a bad %s keeps its price (%s of %j)', (field, name, value) => {
    if (!has(field)) return
    const decision = decisionOn(id, { [field]: value })
    expect(decision).toMatchObject({ kind: 'accepted', price: { price: '62000.5' }, dropped: [{ name }] })
    expect(decision).not.toHaveProperty(`price.${name}`)
  })
})
