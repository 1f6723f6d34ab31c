import { commandLine } from '../../command-line.ts'
import type { Range } from '../../market/range.ts'
import { dateArgument } from '../series/series-command.ts'

/** Candles of a series that have rows in quarantine. */
export type Inspected = Range & Readonly<{ coinId: string; timeframe: string; candles: number }>

const shownByDefault = 20
const mostShown = 100_000

/** The command that shows the rows: a candle may have one of its file and one of its source. */
export function inspectCommand(
  { coinId, timeframe, from, to, candles }: Inspected,
  state: 'open' | 'resolved' = 'open',
): string {
  return [
    commandLine`beacon quarantine list --coin ${coinId} --timeframe ${timeframe}`,
    `--from ${dateArgument(from)} --to ${dateArgument(to)}`,
    ...(state === 'resolved' ? ['--resolved'] : []),
    ...(2 * candles > shownByDefault ? [`--limit ${Math.min(2 * candles, mostShown)}`] : []),
  ].join(' ')
}
