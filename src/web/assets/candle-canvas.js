// Candles and their volume on a canvas: all that is known of the library that draws them.
import { CandlestickSeries, ColorType, createChart, HistogramSeries } from 'lightweight-charts'

/** Opens it in its place. `pointedAt` is told the time that the pointer is at, or undefined. */
export function openCanvas(place, pointedAt) {
  let shown
  const chart = createChart(place, { autoSize: true, ...coloursOf() })
  const candles = chart.addSeries(CandlestickSeries, candleColours())
  const volume = chart.addSeries(HistogramSeries, {
    priceScaleId: 'volume',
    priceFormat: { type: 'volume' },
    lastValueVisible: false,
    priceLineVisible: false,
  })
  chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } })
  chart.subscribeCrosshairMove(({ time }) => pointedAt(time))
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    chart.applyOptions(coloursOf())
    candles.applyOptions(candleColours())
    if (shown) volume.setData(volumes(shown))
  })

  return {
    /** Shows the points of time, those without a candle left empty; with `fit` all of them at once. */
    show(points, { decimals, fit }) {
      shown = points
      candles.applyOptions({ priceFormat: priceFormat(decimals) })
      candles.setData(points.map(({ time, candle }) => ({ time, ...candle })))
      volume.setData(volumes(points))
      if (fit) chart.timeScale().fitContent()
    },
  }
}

/** Grouped as everywhere on the page. */
function priceFormat(decimals) {
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  return { type: 'custom', minMove: 10 ** -decimals, formatter: new Intl.NumberFormat('en', digits).format }
}

function volumes(points) {
  const [rises, falls] = ['--green-strong', '--red-strong'].map((name) => `${colour(name)}66`)
  return points.flatMap(({ time, candle }) =>
    candle ? [{ time, value: candle.volume, color: candle.close < candle.open ? falls : rises }] : [],
  )
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const coloursOf = () => ({
  layout: {
    background: { type: ColorType.Solid, color: colour('--card') },
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
