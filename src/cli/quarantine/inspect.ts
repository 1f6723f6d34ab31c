import { day, type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'

/** Candles of a series that have rows in quarantine. */
export type Inspected = Range & Readonly<{ coinId: string; timeframe: string; candles: number }>

/** An instant as a command takes it: `2024-03-01` or `2024-03-01T12:00Z`. */
export const dateArgument = (instant: Instant): string =>
  instant % day === 0 ? toIso(instant).slice(0, 10) : `${toIso(instant).slice(0, 16)}Z`

const shownByDefault = 20
const mostShown = 100_000

/** The command that shows the rows: a candle may have one of its file and one of its source. */
export function inspectCommand(
  { coinId, timeframe, from, to, candles }: Inspected,
  state: 'open' | 'settled' = 'open',
): string {
  return [
    `beacon quarantine list --coin ${coinId} --timeframe ${timeframe}`,
    `--from ${dateArgument(from)} --to ${dateArgument(to)}`,
    ...(state === 'settled' ? ['--settled'] : []),
    ...(2 * candles > shownByDefault ? [`--limit ${Math.min(2 * candles, mostShown)}`] : []),
  ].join(' ')
}
