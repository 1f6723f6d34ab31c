// Wraps the chart library.
import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts'

export type Point = Readonly<{
  /** Epoch seconds. */
  time: number
  candle: Readonly<Record<'open' | 'high' | 'low' | 'close' | 'volume', number>> | undefined
}>

/** What is known of a point beside its candle: why it has none, or that it was revised. */
export type Mark = Readonly<{
  /** Epoch seconds of the point. */
  time: number
  kind: 'gap' | 'quarantined' | 'revised'
}>

export type CandleCanvas = Readonly<{
  /** Shades the points without candles, and puts a sign above those that were revised. */
  mark(marks: readonly Mark[]): void
  /** Shows the points of time, those without a candle left empty; with `fit` all of them at once. */
  show(points: readonly Point[], options: Readonly<{ decimals: number; fit: boolean }>): void
}>

type Listener = Readonly<{
  /** Undefined outside. */
  pointedAt(time: number | undefined): void
  /** Older points are wanted; returns false if there are none. */
  reachedStart(): Promise<boolean>
}>

export function openCanvas(place: HTMLElement, { pointedAt, reachedStart }: Listener): CandleCanvas {
  let shown: readonly Point[] = []
  // The page scrolls by wheel and finger; the chart drags sideways and pinches.
  const chart = createChart(place, {
    autoSize: true,
    handleScroll: { mouseWheel: false, pressedMouseMove: true, horzTouchDrag: true, vertTouchDrag: false },
    handleScale: { mouseWheel: false, pinch: true, axisPressedMouseMove: true },
    ...coloursOf(),
  })
  // Behind the candles, from top to bottom.
  const shades = chart.addSeries(HistogramSeries, {
    priceScaleId: 'shades',
    lastValueVisible: false,
    priceLineVisible: false,
    autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }),
  })
  chart.priceScale('shades').applyOptions({ scaleMargins: { top: 0, bottom: 0 }, visible: false })
  const candles = chart.addSeries(CandlestickSeries, candleColours())
  const signs = createSeriesMarkers<Time>(candles, [])
  let marked: readonly Mark[] = []
  // Candles above, their volume below, and room for the topmost label.
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0.26 } })
  const volume = chart.addSeries(HistogramSeries, {
    priceScaleId: 'volume',
    priceFormat: { type: 'volume' },
    lastValueVisible: false,
    priceLineVisible: false,
  })
  chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } })
  chart.subscribeCrosshairMove(({ time }) => pointedAt(typeof time === 'number' ? time : undefined))
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    if (range && range.from < 0) void showOlder()
  })
  // Stops dragging before the first candle.
  const showOlder = async () => {
    if (!(await reachedStart())) chart.timeScale().applyOptions({ fixLeftEdge: true })
  }
  document.addEventListener('theme', () => {
    chart.applyOptions(coloursOf())
    candles.applyOptions(candleColours())
    volume.setData(volumes(shown))
    drawMarks()
  })
  const drawMarks = () => {
    shades.setData(shadesOf(marked))
    signs.setMarkers(
      marked
        .filter(({ kind }) => kind === 'revised')
        .map(({ time }) => ({
          time: time as UTCTimestamp,
          position: 'aboveBar',
          shape: 'circle',
          color: colour('--accent'),
        })),
    )
  }

  return {
    mark(marks) {
      marked = marks
      drawMarks()
    },
    show(points, { decimals, fit }) {
      const before = shown
      const inSight = chart.timeScale().getVisibleLogicalRange()
      shown = points
      candles.applyOptions({ priceFormat: priceFormat(decimals) })
      candles.setData(points.map(({ time, candle }) => ({ time: time as UTCTimestamp, ...candle })))
      volume.setData(volumes(points))
      if (fit) {
        chart.timeScale().applyOptions({ fixLeftEdge: false })
        chart.timeScale().fitContent()
        return
      }
      // Keeps the view when older points are added.
      const added = points.findIndex(({ time }) => time === before[0]?.time)
      if (inSight && added > 0)
        chart.timeScale().setVisibleLogicalRange({ from: inSight.from + added, to: inSight.to + added })
    },
  }
}

/** The axis may go below zero; prices do not. */
function priceFormat(decimals: number) {
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  const { format } = new Intl.NumberFormat('en', digits)
  const formatter = (price: number) => (price < 0 ? '' : format(price))
  return { type: 'custom', minMove: 10 ** -decimals, formatter } as const
}

function volumes(points: readonly Point[]) {
  const rises = `${colour('--green-strong')}66`
  const falls = `${colour('--red-strong')}66`
  return points.flatMap(({ time, candle }) =>
    candle
      ? [{ time: time as Time, value: candle.volume, color: candle.close < candle.open ? falls : rises }]
      : [],
  )
}

const shadesOf = (marks: readonly Mark[]) =>
  marks
    .filter(({ kind }) => kind !== 'revised')
    .map(({ time, kind }) => ({
      time: time as UTCTimestamp,
      value: 1,
      color: `${colour(kind === 'gap' ? '--red-strong' : '--amber-strong')}33`,
    }))

const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const coloursOf = () => ({
  layout: {
    background: { type: ColorType.Solid, color: colour('--card') } as const,
    textColor: colour('--quiet'),
    attributionLogo: false,
  },
  grid: { vertLines: { color: colour('--line') }, horzLines: { color: colour('--line') } },
  rightPriceScale: { borderColor: colour('--line') },
  timeScale: { borderColor: colour('--line'), timeVisible: true, secondsVisible: false },
})

const candleColours = () => ({
  upColor: colour('--green-strong'),
  borderUpColor: colour('--green-strong'),
  wickUpColor: colour('--green-strong'),
  downColor: colour('--red-strong'),
  borderDownColor: colour('--red-strong'),
  wickDownColor: colour('--red-strong'),
})
