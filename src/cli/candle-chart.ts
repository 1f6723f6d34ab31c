import type { Candle } from '../market/candle.ts'
import { toMinuteText } from '../market/instant.ts'

type ChartSize = Readonly<{ width: number; height: number; colours: boolean }>

/** For the eye only: a pixel is coarser than any rounding here. */
type Shape = Readonly<{ top: number; bottom: number; bodyTop: number; bodyBottom: number; rises: boolean }>

const green = '\u001b[32m'
const red = '\u001b[31m'
const plain = '\u001b[0m'
const labelWidth = 15

/** Draws candles in text, one column each, the newest at the right. */
export function drawCandles(candles: readonly Candle[], { width, height, colours }: ChartSize): string {
  const shown = candles.slice(-Math.max(1, width - labelWidth))
  const highest = Math.max(...shown.map(({ high }) => Number(high)))
  const lowest = Math.min(...shown.map(({ low }) => Number(low)))
  const span = highest - lowest || 1
  const rowOf = (price: string) => Math.round(((highest - Number(price)) / span) * (height - 1))
  const shapes = shown.map(({ open, high, low, close }): Shape => {
    const [openRow, closeRow] = [rowOf(open), rowOf(close)]
    return {
      top: rowOf(high),
      bottom: rowOf(low),
      bodyTop: Math.min(openRow, closeRow),
      bodyBottom: Math.max(openRow, closeRow),
      rises: Number(close) >= Number(open),
    }
  })
  const lines = Array.from({ length: height }, (_, row) => {
    const price = highest - (span * row) / (height - 1)
    const label = row % 4 === 0 || row === height - 1 ? priceLabel(price) : ''
    return `${label.padStart(labelWidth - 2)}  ${shapes.map((shape) => cell(shape, row, colours)).join('')}`
  })
  const [first = '', last = ''] = [shown[0], shown.at(-1)].map(
    (candle) => candle && toMinuteText(candle.openTime),
  )
  const axis = first.padEnd(Math.max(first.length + 1, shown.length - last.length)) + last
  return [...lines, ' '.repeat(labelWidth) + axis].join('\n')
}

const priceLabel = (price: number): string => (price >= 1 ? price.toFixed(2) : price.toPrecision(4))

function cell({ top, bottom, bodyTop, bodyBottom, rises }: Shape, row: number, colours: boolean): string {
  if (row < top || row > bottom) return ' '
  const inBody = row >= bodyTop && row <= bodyBottom
  const symbol = inBody ? (rises ? '█' : colours ? '█' : '░') : '│'
  return colours ? `${rises ? green : red}${symbol}${plain}` : symbol
}
