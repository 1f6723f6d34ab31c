import type { Candle } from '../../market/candle.ts'
import { plus, toMinuteText } from '../../market/instant.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { headOf } from '../terminal/columns.ts'
import { priceTicks, timeTicks } from './chart-scale.ts'

type ChartSize = Readonly<{ width: number; height: number; colours: boolean }>

export type PlottedSeries = Readonly<{ coinId: string; timeframe: Timeframe; candles: readonly Candle[] }>

const volumeRows = 2
/** Title, axis line, labels. */
const otherRows = 3
/** Wider columns lose the connection. */
const widestColumn = 3
/** A time label with margin. */
const timeLabelWidth = 13
const leastPriceRows = 4

/** Upper limit beside the axis. */
export const mostCandles = (width: number): number => Math.max(20, width - 12)

/** Text chart, newest at the right; missing candles leave a space. At most `height` × `width`. */
export function drawCandles({ coinId, timeframe, candles }: PlottedSeries, size: ChartSize): string {
  const { width, colours } = size
  const rows = Math.max(leastPriceRows, size.height - volumeRows - otherRows)
  const lengthMs = timeframeMs[timeframe]
  // Labels determine the room, which determines the candles shown.
  const margin = marginOf(candles, rows)
  const room = Math.max(1, width - margin - 2)
  const [end] = candles.slice(-1)
  if (!end) return ''
  const shown = candles.filter(({ openTime }) => (end.openTime - openTime) / lengthMs < room)
  const [start = end] = shown
  const slots = (end.openTime - start.openTime) / lengthMs + 1
  const step = Math.min(widestColumn, Math.max(1, Math.floor(room / slots)))
  const columns = slots * step
  const columnOf = (openTime: number) => ((openTime - start.openTime) / lengthMs) * step

  const scale = scaleOf(shown, rows)
  const priceLines = axisLines(scale, rows, margin)
  const volumeLines = Array.from({ length: volumeRows }, (_, row) =>
    `${row === 0 ? 'volume' : ''}`.padStart(margin).concat(' │'),
  )
  const highestVolume = Math.max(...shown.map(({ volume }) => Number(volume)))
  const lines = [...priceLines, ...volumeLines].map((prefix, row) => {
    const cells = Array.from({ length: columns }, (): Cell => blank)
    for (const candle of shown) {
      cells[columnOf(candle.openTime)] = {
        symbol:
          row < rows
            ? priceSymbol(shapeOf(candle, scale), row, colours)
            : volumeSymbol(Number(candle.volume) / (highestVolume || 1), row - rows),
        rises: rises(candle),
      }
    }
    return `${prefix}${painted(cells, colours)}`.trimEnd()
  })
  const ticks = timeTicks(start.openTime, end.openTime, (timeLabelWidth * lengthMs) / step)
  const marks = ticks.map(({ at, label }) => ({
    column: Math.round(columnOf(Math.floor(at / lengthMs) * lengthMs)),
    label,
  }))
  const axis = Array.from({ length: columns }, (_, column) =>
    marks.some((mark) => mark.column === column) ? '┬' : '─',
  ).join('')
  return [
    headOf(width, title(coinId, timeframe, shown)),
    ...lines,
    `${' '.repeat(margin)} └${axis}`,
    timeLabels(marks, margin + 2, width),
  ].join('\n')
}

const rises = ({ open, close }: Candle): boolean => Number(close) >= Number(open)

/** Doubles are exact enough for drawing. */
type Scale = Readonly<{ highest: number; span: number; halves: number }>

function scaleOf(candles: readonly Candle[], rows: number): Scale {
  const highest = Math.max(...candles.map(({ high }) => Number(high)))
  const lowest = Math.min(...candles.map(({ low }) => Number(low)))
  // A constant price is centred.
  const least = Math.abs(highest) * 1e-6 || 1
  const span = Math.max(highest - lowest, least)
  return { highest: highest === lowest ? highest + span / 2 : highest, span, halves: 2 * rows }
}

const half = ({ highest, span, halves }: Scale, price: number): number =>
  Math.min(halves - 1, Math.max(0, Math.round(((highest - price) / span) * (halves - 1))))

const ticksOf = ({ highest, span }: Scale, rows: number) =>
  priceTicks(highest - span, highest, Math.floor(rows / 4))

const marginOf = (candles: readonly Candle[], rows: number): number =>
  Math.max(
    'volume'.length,
    ...(candles.length === 0 ? [] : ticksOf(scaleOf(candles, rows), rows).map(({ label }) => label.length)),
  )

function axisLines(scale: Scale, rows: number, margin: number): string[] {
  const labels = new Map(
    ticksOf(scale, rows).map(({ at, label }) => [Math.floor(half(scale, at) / 2), label]),
  )
  return Array.from({ length: rows }, (_, row) => {
    const label = labels.get(row)
    return `${(label ?? '').padStart(margin)} ${label === undefined ? '│' : '┤'}`
  })
}

/** In half rows from the top. */
type Shape = Readonly<{ top: number; bottom: number; bodyTop: number; bodyBottom: number; rises: boolean }>

function shapeOf(candle: Candle, scale: Scale): Shape {
  const of = (price: string) => half(scale, Number(price))
  const [open, close] = [of(candle.open), of(candle.close)]
  return {
    top: of(candle.high),
    bottom: of(candle.low),
    bodyTop: Math.min(open, close),
    bodyBottom: Math.max(open, close),
    rises: rises(candle),
  }
}

/** By upper and lower half: empty, wick, body. */
const lines = [
  [' ', '╷', '╻'],
  ['╵', '│', '╽'],
  ['╹', '╿', '┃'],
] as const

function priceSymbol(shape: Shape, row: number, colours: boolean): string {
  const part = (index: number): 0 | 1 | 2 => {
    if (index < shape.top || index > shape.bottom) return 0
    return index >= shape.bodyTop && index <= shape.bodyBottom ? 2 : 1
  }
  const [upper, lower] = [part(2 * row), part(2 * row + 1)]
  // Without colours, rising bodies are full.
  if (!colours && (upper === 2 || lower === 2)) return shape.rises ? '█' : '░'
  return lines[upper][lower]
}

const eighths = ' ▁▂▃▄▅▆▇█'

function volumeSymbol(share: number, row: number): string {
  const filled = Math.ceil(share * volumeRows * 8) - (volumeRows - 1 - row) * 8
  return eighths[Math.min(8, Math.max(0, filled))] ?? ' '
}

type Cell = Readonly<{ symbol: string; rises: boolean | undefined }>

const blank: Cell = { symbol: ' ', rises: undefined }

const green = '\u001b[32m'
const red = '\u001b[31m'
const plain = '\u001b[39m'

/** Emits a colour only when it changes. */
function painted(cells: readonly Cell[], colours: boolean): string {
  if (!colours) return cells.map(({ symbol }) => symbol).join('')
  let now = plain
  let text = ''
  for (const cell of cells) {
    const wanted = cell.symbol === ' ' ? now : cell.rises ? green : red
    if (wanted !== now) text += wanted
    now = wanted
    text += cell.symbol
  }
  return now === plain ? text : `${text.trimEnd()}${plain}`
}

function title(coinId: string, timeframe: Timeframe, shown: readonly Candle[]): string {
  const [first, last] = [shown[0], shown.at(-1)]
  if (!first || !last) return ''
  const change = (100 * (Number(last.close) - Number(first.open))) / (Number(first.open) || 1)
  const sign = change > 0 ? '+' : ''
  const until = toMinuteText(plus(last.openTime, timeframeMs[timeframe]))
  return `${coinId} ${timeframe}: ${shortest(last.close)} at ${until} UTC, ${sign}${change.toFixed(2)} % since ${toMinuteText(first.openTime)}`
}

/** `23487.95000000` → `23487.95` */
const shortest = (price: string): string => (price.includes('.') ? price.replace(/\.?0+$/, '') : price)

/** Below their marks, without overlap. */
function timeLabels(
  marks: readonly Readonly<{ column: number; label: string }>[],
  margin: number,
  width: number,
): string {
  let line = ''
  for (const { column, label } of marks) {
    const at = Math.min(
      Math.max(0, margin + column - Math.floor(label.length / 2)),
      Math.max(0, width - label.length),
    )
    if (line === '' || at > line.length) line = line.padEnd(at) + label
  }
  return line
}
