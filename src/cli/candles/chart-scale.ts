import { day, hour, type Instant, minute, toInstant, toIso } from '../../market/instant.ts'

export type Tick<T> = Readonly<{ at: T; label: string }>

/** Round prices, at most `most`, with the needed decimals. */
export function priceTicks(lowest: number, highest: number, most: number): Tick<number>[] {
  const step = roundStep((highest - lowest) / Math.max(1, most))
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const label = new Intl.NumberFormat('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  })
  const first = Math.ceil(lowest / step - 1e-9)
  const count = Math.floor(highest / step + 1e-9) - first + 1
  return Array.from({ length: count }, (_, index) => {
    const at = (first + index) * step
    return { at, label: label.format(at) }
  })
}

/** Next of 1, 2, 5, 10, 20, … */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) * power
}

const timeSteps = [
  ...[5, 10, 15, 30].map((count) => count * minute),
  ...[1, 2, 3, 4, 6, 12].map((count) => count * hour),
  ...[1, 2, 4, 7, 14, 28, 91, 182, 364].map((count) => count * day),
] as const

/** Round times at least `leastMs` apart; dates at midnight, else times. */
export function timeTicks(from: Instant, to: Instant, leastMs: number): Tick<Instant>[] {
  const step = timeSteps.find((ms) => ms >= leastMs) ?? 364 * day
  const first = Math.ceil(from / step) * step
  const count = Math.max(0, Math.floor((to - first) / step) + 1)
  return Array.from({ length: count }, (_, index) => {
    const at = toInstant(first + index * step)
    return { at, label: at % day === 0 ? toIso(at).slice(0, 10) : toIso(at).slice(11, 16) }
  })
}
