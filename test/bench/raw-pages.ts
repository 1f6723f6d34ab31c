import { minute } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { closedCandles, type ReplayCandle } from '../../src/replay/candles.ts'
import { markets } from '../../src/replay/markets.ts'
import { plus } from '../support/at.ts'
import { benchStart, coinIdAt } from './stage.ts'

/** One answer of Binance, as it comes over the wire, for a stretch of a coin. */
export type RawPage = Readonly<{ coinId: string; place: number; range: AlignedRange; body: Buffer }>

/** A history of 1m candles: for each of so many coins so many pages, of a thousand candles unless said otherwise. */
export type Extent = Readonly<{ coins: number; pages: number; rowsPerPage?: number }>

export const extentRange = ({ pages, rowsPerPage = 1_000 }: Extent): AlignedRange => ({
  from: benchStart,
  to: plus(benchStart, pages * rowsPerPage * minute),
})

export const candlesIn = ({ coins, pages, rowsPerPage = 1_000 }: Extent): number =>
  coins * pages * rowsPerPage

/**
 * Every page of the history, coin after coin. Each coin plays a stretch of its own of a recorded market, moved to the
 * same minutes; `volume` may be changed on the way.
 */
export function rawPages(
  extent: Extent,
  volume: (candle: ReplayCandle) => string = (candle) => candle.volume,
): RawPage[] {
  return Array.from({ length: extent.coins }, (_, place) => coinPages(extent, place, volume)).flat()
}

function coinPages(
  { pages, rowsPerPage = 1_000 }: Extent,
  place: number,
  volume: (candle: ReplayCandle) => string,
): RawPage[] {
  const symbol = markets[place % markets.length]?.symbol ?? 'BTCUSDT'
  // The recordings are played over and over, but begin in 2017.
  const missingRange = Math.floor(place / markets.length) % 100
  const played = plus(benchStart, -(1 + missingRange) * 30_000 * minute)
  // Minutes without trades are left out of the recordings: more of them are taken than needed.
  const candles = closedCandles(
    symbol,
    '1m',
    { from: played, to: plus(played, 3 * pages * rowsPerPage * minute) },
    benchStart,
  )
  return Array.from({ length: pages }, (_, page) => {
    const from = plus(benchStart, page * rowsPerPage * minute)
    const rows = candles
      .slice(page * rowsPerPage, (page + 1) * rowsPerPage)
      .map((candle, index) => kline(candle, plus(from, index * minute), volume(candle)))
    const range = { from, to: plus(from, rowsPerPage * minute) }
    return { coinId: coinIdAt(place), place, range, body: Buffer.from(toJsonText(rows)) }
  })
}

const kline = (candle: ReplayCandle, openTime: number, volume: string) => [
  openTime,
  candle.open,
  candle.high,
  candle.low,
  candle.close,
  volume,
  openTime + minute - 1,
  candle.quoteVolume,
  candle.trades,
  candle.takerVolume,
  candle.takerQuoteVolume,
  '0',
]

/** The first page of every coin, then the second of every coin, and so on: as time goes by. */
export const inTimeOrder = (pages: readonly RawPage[]): RawPage[] =>
  pages.toSorted((a, b) => a.range.from - b.range.from || a.place - b.place)
