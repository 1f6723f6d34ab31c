import { day, hour, minute, second } from '../market/instant.ts'

/** `8 seconds`, `4 minutes`, `2 days` */
export function lengthInWords(ms: number): string {
  for (const [word, unitMs, enough] of [
    ['day', day, 2 * day],
    ['hour', hour, 2 * hour],
    ['minute', minute, 2 * minute],
  ] as const) {
    if (ms >= enough) return counted(Math.floor(ms / unitMs), word)
  }
  return counted(Math.max(0, Math.floor(ms / second)), 'second')
}

/** `1 candle`, `14,220 candles` */
export const counted = (count: number, noun: string): string =>
  `${count.toLocaleString('en')} ${count === 1 || noun === 'series' ? noun : `${noun}s`}`
