import { toDecimal } from '../../market/decimal.ts'
import { type Json, WrittenNumber } from '../answer.ts'
import type { Endpoint } from '../endpoint.ts'
import type { PriceFault } from '../faults/injected-fault.ts'
import { changeAt, isAt } from './places.ts'

export const isPriceFault = (fault: Readonly<{ name: string }>): fault is PriceFault =>
  fault.name === 'halted-market' || Object.hasOwn(otherPrices, fault.name)

type Asked = Readonly<{ endpoint: Endpoint; path: string; query: URLSearchParams }>

/** Unchanged without such a market. */
export function withPriceFault({ name }: PriceFault, body: Json, { endpoint, path, query }: Asked): Json {
  if (name !== 'halted-market') {
    return (endpoint.tickers ?? [])
      .filter((place) => isAt(place, path))
      .reduce((changed, { at }) => changeAt(changed, at, otherPrices[name]), body)
  }
  return (endpoint.halted ?? [])
    .filter((place) => isAt(place, path) && (place.onlyWith === undefined || query.has(place.onlyWith)))
    .reduce((changed, { at, value }) => changeAt(changed, at, () => value), body)
}

/** Keeps the type. */
function rewritten(old: Json, rewrite: (text: string) => string): Json {
  if (typeof old === 'string') return rewrite(old)
  if (old instanceof WrittenNumber) return new WrittenNumber(rewrite(old.text))
  return typeof old === 'number' ? Number(rewrite(String(old))) : old
}

const otherPrices: Readonly<Record<Exclude<PriceFault['name'], 'halted-market'>, (old: Json) => Json>> = {
  'zero-price': (old) => rewritten(old, (text) => text.replace(/[1-9]/g, '0').replace(/^0+(?=\d)/, '')),
  'null-price': () => null,
  'far-price': (old) => rewritten(old, (text) => toDecimal(`${toDecimal(text)}e3`)),
}
