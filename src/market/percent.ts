import { type Decimal, inUnits, placesOf, toDecimal } from './decimal.ts'

/** `0.0123` → `1.23`, exactly. */
export const percentOfFraction = (fraction: Decimal): Decimal => toDecimal(`${fraction}e2`)

/** Four decimals, half away from zero; undefined from 0. */
export function percentChange(before: Decimal, after: Decimal): Decimal | undefined {
  const places = Math.max(placesOf(before), placesOf(after))
  const [from, to] = [inUnits(before, places), inUnits(after, places)]
  if (from === 0n) return undefined
  const scaled = (to - from) * 10n ** 6n
  const half = from / 2n
  const quotient = (scaled < 0n ? scaled - half : scaled + half) / from
  return toDecimal(`${quotient}e-4`)
}
