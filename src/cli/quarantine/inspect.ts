import { commandLine } from '../../command-line.ts'
import type { Range } from '../../market/range.ts'
import { dateArgument } from '../series/series-command.ts'

/** Candles with quarantined rows. */
export type Inspected = Range & Readonly<{ coinId: string; timeframe: string; candles: number }>

const shownByDefault = 20
const mostShown = 100_000

/** A candle may have a row from a file and one from the source. */
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
