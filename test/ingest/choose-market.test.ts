import { expect, test } from 'vitest'
import { chooseMarket } from '../../src/ingest/choose-market.ts'
import type { ListedMarket } from '../../src/sources/source.ts'

const market = (base: string, quote: string, parts: Partial<ListedMarket> = {}): ListedMarket => ({
  symbol: `${base}-${quote}`,
  base,
  quote,
  trading: true,
  ...parts,
})
const quotes = ['USDT', 'USDC', 'USD']
const listing = [market('BTC', 'EUR'), market('BTC', 'USD'), market('BTC', 'USDC'), market('ETH', 'USDT')]

test('the market against the most preferred quote that is listed is chosen', () => {
  expect(chooseMarket(listing, 'BTC', quotes)).toEqual({ kind: 'one', market: listing[2] })
  expect(chooseMarket(listing, 'BTC', ['USD', 'USDC'])).toEqual({ kind: 'one', market: listing[1] })
})

test('a market that is not traded is not chosen', () => {
  const halted = market('BTC', 'USDT', { trading: false })
  expect(chooseMarket([halted, ...listing], 'BTC', quotes)).toEqual({ kind: 'one', market: listing[2] })
  expect(chooseMarket([halted], 'BTC', quotes)).toEqual({ kind: 'none' })
})

test('two markets of the same pair are not chosen between', () => {
  const twins = [market('BTC', 'USDT'), market('BTC', 'USDT', { symbol: 'BTC-USDT.d' })]
  expect(chooseMarket([...twins, ...listing], 'BTC', quotes)).toEqual({
    kind: 'ambiguous',
    candidates: twins,
  })
})

test('nothing is chosen where only other quotes are listed', () => {
  const [inEuro, inDollars] = listing
  const candidates = [inEuro, inDollars, listing[2]]
  expect(chooseMarket(listing, 'BTC', ['JPY'])).toEqual({ kind: 'ambiguous', candidates })
})

test('a coin that is not listed has no market', () => {
  expect(chooseMarket(listing, 'LUNA', quotes)).toEqual({ kind: 'none' })
})
