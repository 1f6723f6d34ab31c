import { commandLine } from '../../command-line.ts'
import { day, type Instant, toIso } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'

/** `2024-03-01`, `2024-03-01T12:00Z` */
export const dateArgument = (instant: Instant): string => {
  const iso = toIso(instant)
  if (instant % day === 0) return iso.slice(0, 10)
  return iso.endsWith(':00.000Z') ? `${iso.slice(0, 16)}Z` : iso
}

type SeriesRange = Readonly<{
  coinId: string | readonly string[]
  timeframe: Timeframe | readonly Timeframe[]
  from: Instant
  to: Instant
}>

/** `beacon gaps bitcoin --timeframe 1h --from … --to …` */
export function seriesCommand(
  command: 'gaps' | 'backfill' | 'verify' | 'certificate',
  { coinId, timeframe, from, to }: SeriesRange,
): string {
  const timeframes = [timeframe].flat().join(',')
  return commandLine`beacon ${command} ${[coinId].flat()} --timeframe ${timeframes} --from ${dateArgument(from)} --to ${dateArgument(to)}`
}
