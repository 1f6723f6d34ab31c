// Formats numbers and times.

/** Formatters cost ms: created on first use. */
function onFirstUse<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

const whole = onFirstUse(() => new Intl.NumberFormat('en'))
const short = onFirstUse(() => new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 }))

export const count = (number: number | null | undefined): string =>
  number === null || number === undefined ? '' : whole().format(number)

export const counted = (number: number, noun: string): string =>
  `${count(number)} ${noun}${number === 1 ? '' : 's'}`

/** 12 s, 4 min, 3 h, 2 d */
export function age(seconds: number): string {
  if (seconds < 0) return 'now'
  if (seconds < 100) return `${Math.round(seconds)} s`
  if (seconds < 100 * 60) return `${Math.floor(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

/** `in 4 min` or `now` */
export const until = (seconds: number): string => (seconds < 0.5 ? 'now' : `in ${age(seconds)}`)

/** In seconds, by the server's times. */
export const secondsBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1000

export function took(ms: number | null): string {
  if (ms === null) return ''
  if (ms < 1000) return `${ms} ms`
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** Seconds only if not zero. */
export function instant(iso: string): string {
  const text = iso.slice(0, 19).replace('T', ' ')
  return text.endsWith(':00') ? text.slice(0, 16) : text
}

export const day = (iso: string): string => iso.slice(0, 10)

const local = onFirstUse(() => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' }))

/** UTC and local time. */
export const inBothZones = (iso: string): string =>
  `${instant(iso)} UTC\n${local().format(new Date(iso))} here`

export function bytes(number: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, number > 0 ? Math.floor(Math.log10(number) / 3) : 0)
  const value = number / 1000 ** power
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}

/** All digits but trailing zeros; no arithmetic. */
export function price(text: string): string {
  const [integer = '', fraction = ''] = text.split('.')
  const kept = fraction.replace(/0+$/, '')
  const grouped = integer.replace(/\B(?=(\d{3})+$)/g, ',')
  return kept === '' ? grouped : `${grouped}.${kept.padEnd(2, '0')}`
}

/** Rounded for comparison. */
export const rounded = (text: string, decimals: number): string => {
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  return new Intl.NumberFormat('en', digits).format(Number(text))
}

export const money = (text: string | null): string =>
  text === null ? '' : `$${short().format(Number(text))}`

export const percent = (text: string | null): string =>
  text === null ? '' : `${Math.abs(Number(text)).toFixed(2)} %`
