declare const instant: unique symbol

/** Milliseconds since 1970, UTC. */
export type Instant = number & { readonly [instant]: true }

export const second = 1_000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

export function toInstant(epochMs: number): Instant {
  if (!Number.isSafeInteger(epochMs)) throw new RangeError(`not an instant: ${epochMs}`)
  return epochMs as Instant
}

export const plus = (instant: Instant, ms: number): Instant => toInstant(instant + ms)

export const earlier = <T extends Instant>(a: T, b: T): T => (a < b ? a : b)
export const later = <T extends Instant>(a: T, b: T): T => (a > b ? a : b)

/** `2024-03-01T12:00:00.000Z` */
export const toIso = (instant: Instant): string => new Date(instant).toISOString()

export function toMinuteText(instant: Instant): string {
  const text = toIso(instant).replace('T', ' ')
  return instant % minute === 0 ? text.slice(0, 16) : text.slice(0, 19)
}

const dateForm = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(\.\d{1,3})?)?)?(?:Z|\+00:00)?$/
const agoForm = /^-(\d{1,5})(m|h|d|w)$/
const agoUnitMs = { m: minute, h: hour, d: day, w: 7 * day }

/**
 * `2024-03-01`, `2024-03-01T12:00Z`, `now`, `-30d` (`m`, `h`, `d`, `w`); UTC. Undefined for anything else, including
 * impossible days.
 */
export function parseDate(text: string, now: Instant): Instant | undefined {
  if (text === 'now') return now
  const ago = agoForm.exec(text)
  if (ago) return plus(now, -Number(ago[1]) * agoUnitMs[ago[2] as keyof typeof agoUnitMs])
  const date = dateForm.exec(text)
  if (!date) return undefined
  const [, dayText, time = '00:00', seconds = '00', fraction = ''] = date
  const epochMs = Date.parse(`${dayText}T${time}:${seconds}${fraction}Z`)
  // Date.parse accepts 2024-02-30 as March.
  return Number.isNaN(epochMs) || !new Date(epochMs).toISOString().startsWith(`${dayText}T${time}`)
    ? undefined
    : toInstant(epochMs)
}
