import { InvalidInput } from '../fault.ts'
import { type Instant, parseDate } from '../market/instant.ts'
import { allTime, type Range } from '../market/range.ts'
import { isTimeframe, type Timeframe, timeframeMeant, timeframes } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'

export function readDate(option: string, text: string, now: Instant): Instant {
  const instant = parseDate(text, now)
  if (instant === undefined)
    throw new InvalidInput(`${option} ${text} is not a date; write 2024-03-01, 2024-03-01T12:00Z or -30d`)
  if (instant < allTime.from)
    throw new InvalidInput(`${option} ${text} is before 1970: no market is that old`)
  return instant
}

/** Half-open, UTC. */
export function readRange(fromText: string, toText: string, now: Instant): Range {
  const range = { from: readDate('--from', fromText, now), to: readDate('--to', toText, now) }
  if (range.from >= range.to) throw new InvalidInput(`--from ${fromText} is not before --to ${toText}`)
  if (range.from >= now)
    throw new InvalidInput(`--from ${fromText} lies in the future: no candle is closed yet`)
  return range
}

/** Comma-separated, configured timeframes. */
export function readTimeframes(text: string, settings: Settings): Timeframe[] {
  const configured = Object.keys(settings.timeframes).filter(isTimeframe)
  const names = text.split(',').map((name) => name.trim())
  const read = names.map((name) => {
    const timeframe = timeframeMeant(name)
    if (timeframe !== undefined && settings.timeframes[timeframe]) return timeframe
    throw new InvalidInput(
      `timeframe "${name}" is not configured. Configured timeframes: ${configured.join(', ')}`,
    )
  })
  return [...new Set(read)]
}

export const chosenTimeframes = (text: string | undefined, settings: Settings): Timeframe[] =>
  text === undefined ? timeframes.filter((name) => settings.timeframes[name]) : readTimeframes(text, settings)

export function readTimeframe(text: string, settings: Settings): Timeframe {
  const [timeframe, ...others] = readTimeframes(text, settings)
  if (timeframe !== undefined && others.length === 0) return timeframe
  throw new InvalidInput(`--timeframe ${text} names several: write one, such as --timeframe ${timeframe}`)
}

export function readCount(option: string, text: string, most: number): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (count >= 1 && count <= most) return count
  throw new InvalidInput(`${option} ${text} is not a whole number from 1 to ${most}`)
}
