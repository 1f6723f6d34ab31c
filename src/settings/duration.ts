import { day, hour, minute, second } from '../market/instant.ts'

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: second,
  second,
  seconds: second,
  min: minute,
  minute,
  minutes: minute,
  h: hour,
  hour,
  hours: hour,
  day,
  days: day,
}

/** `90 days`, `2 s` → ms; undefined otherwise. */
export function parseDuration(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/.exec(text.trim())
  const unit = parts?.[2] ?? ''
  const ms = Object.hasOwn(unitsMs, unit) ? Math.round(Number(parts?.[1]) * Number(unitsMs[unit])) : undefined
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** `2 days`, `36 hours`, `90 s` */
export function durationText(ms: number): string {
  for (const [name, unitMs] of [
    ['day', day],
    ['hour', hour],
    ['minute', minute],
  ] as const) {
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs} ${name}${ms === unitMs ? '' : 's'}`
  }
  return ms % second === 0 ? `${ms / second} s` : `${ms} ms`
}
