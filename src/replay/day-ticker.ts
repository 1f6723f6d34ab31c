import { day, type Instant, minute, plus } from '../market/instant.ts'
import { floorTo } from '../market/timeframe.ts'
import { amount, lastClosedMinute, tradedIn } from './candles.ts'
import type { Market } from './markets.ts'
import { amountDecimals } from './recording.ts'

/** The last 1440 minutes including the running one; no trailing zeros. */
export type DayTicker = Readonly<{
  open: string
  high: string
  low: string
  last: string
  /** One tick above the price, and the lot step. */
  ask: string
  step: string
  /** Of the price. */
  change: string
  /** Fraction with four decimals. */
  changeRate: string
  volume: string
  quoteVolume: string
}>

export function dayTicker(market: Market, now: Instant): DayTicker {
  const { priceDecimals, volumeDecimals } = market
  const from = plus(floorTo('1m', now), minute - day)
  const price = (ticks: number) => shortened(amount(ticks, priceDecimals))
  const last = lastClosedMinute(market, now)?.close ?? 0
  const quiet = { open: last, high: last, low: last, close: last, volume: 0n, quoteVolume: 0n }
  const traded = tradedIn(market, { from, to: plus(from, day) }, now) ?? quiet
  const change = traded.close - traded.open
  return {
    open: price(traded.open),
    high: price(traded.high),
    low: price(traded.low),
    last: price(traded.close),
    ask: price(traded.close + 1),
    step: shortened(amount(1, volumeDecimals)),
    change: price(change),
    changeRate: traded.open === 0 ? '0' : shortened((change / traded.open).toFixed(4)),
    volume: shortened(amount(traded.volume, volumeDecimals)),
    quoteVolume: shortened(amount(traded.quoteVolume, amountDecimals)),
  }
}

export const shortened = (amount: string): string =>
  amount.includes('.') ? amount.replace(/\.?0+$/, '') : amount
