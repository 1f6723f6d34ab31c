// From the candles of an answer to the points of a chart.
import type { CandlesAnswer } from '../../api.ts'
import type { Point } from './canvas.ts'

type Candle = CandlesAnswer['candles'][number]

/** All points from first to last. */
export function withGaps(byTime: ReadonlyMap<number, Candle>, pointSeconds: number): Point[] {
  const times = [...byTime.keys()]
  const [first, last] = [times[0], times.at(-1)]
  const points: Point[] = []
  if (first === undefined || last === undefined) return points
  for (let time = first; time <= last; time += pointSeconds) {
    const one = byTime.get(time)
    points.push({ time, candle: one && numbersOf(one) })
  }
  return points
}

const numbersOf = ({ open, high, low, close, volume }: Candle) => ({
  open: Number(open),
  high: Number(high),
  low: Number(low),
  close: Number(close),
  volume: Number(volume),
})

/** Missing candles between first and last, including inside points. */
export function missingIn(points: number, { candles, candlesOfPoint }: CandlesAnswer): number {
  const inside = candles.slice(1, -1).reduce((sum, one) => sum + candlesOfPoint - one.candles, 0)
  return Math.max(0, (points - candles.length) * candlesOfPoint + inside)
}

const minuteSeconds = 60
export const lengthOf = (seconds: number): string => {
  const units = [
    [7 * 86_400, 'w'],
    [86_400, 'd'],
    [3_600, 'h'],
    [minuteSeconds, 'm'],
  ] as const
  const [unit, name] = units.find(([length]) => seconds % length === 0) ?? [1, 's']
  return `${seconds / unit}${name}`
}

/** Decimals that distinguish prices of this size. */
export function decimalsOf(candles: readonly Candle[]): number {
  const recent = candles.slice(-200)
  const largest = Math.max(0, ...recent.map(({ close }) => Number(close)))
  const wanted =
    largest >= 1_000 ? 2 : largest >= 1 ? 4 : Math.min(12, 4 - Math.floor(Math.log10(largest || 1)))
  const had = Math.max(2, ...recent.map(({ close }) => (close.split('.')[1] ?? '').replace(/0+$/, '').length))
  return Math.min(wanted, had)
}
