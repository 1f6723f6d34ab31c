import { expect, test } from 'vitest'
import { chooseMarket } from '../../src/ingest/choose-market.ts'
import type { ListedMarket } from '../../src/sources/listing/listed-market.ts'

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

test('a ticker that may be another coin there is left to a person, unless the coin is listed beside it', () => {
  const gasDao = market('GAS', 'USDT', { baseMayBe: 'GasDAO' })
  const gas = market('GAS', 'USDT', { symbol: 'GASNEO-USDT' })
  expect(chooseMarket([gasDao], 'GAS', quotes)).toEqual({ kind: 'disputed', candidates: [gasDao] })
  expect(chooseMarket([gasDao, gas], 'GAS', quotes)).toEqual({ kind: 'one', market: gas })
  // Not even where only the disputed one has the preferred quote.
  const inEuro = { ...gas, quote: 'EUR' }
  expect(chooseMarket([gasDao, inEuro], 'GAS', quotes)).toEqual({ kind: 'ambiguous', candidates: [inEuro] })
})

test('what is no coin is not chosen, and said to be none', () => {
  const share = market('AAPLX', 'USDT', { kind: 'tokenized-stock' })
  const halted = market('AAPLX', 'USDC', { kind: 'tokenized-stock', trading: false })
  expect(chooseMarket([share, ...listing], 'AAPLX', quotes)).toEqual({ kind: 'no-coin', market: share })
  expect(chooseMarket([halted], 'AAPLX', quotes)).toEqual({ kind: 'none' })
  const coin = market('AAPLX', 'USDC')
  expect(chooseMarket([share, coin], 'AAPLX', quotes)).toEqual({ kind: 'one', market: coin })
})
