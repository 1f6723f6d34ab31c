// Canvases of days and dates.
import { type CoinDays, type Coverage, type Day, dayMs, dayOf, type Kind, kinds } from './days.ts'

type Colours = Readonly<Record<Kind | 'frame', string>>
type Row = Readonly<{ element: HTMLElement; coin: CoinDays; chosen: number | undefined }>

/** Measures all before painting, to avoid repeated layouts. */
export function paintRows(rows: readonly Row[], coverage: Coverage): void {
  const colours = coloursNow()
  const measured = rows.map((row) => ({
    ...row,
    width: row.element.clientWidth,
    height: row.element.clientHeight,
  }))
  for (const row of measured) paintRow(row, coverage, colours)
}

function coloursNow(): Colours {
  const style = getComputedStyle(document.documentElement)
  const read = (variable: string) => style.getPropertyValue(variable).trim()
  return {
    ...(Object.fromEntries(
      Object.entries(kinds).map(([kind, { variable }]) => [kind, read(variable)]),
    ) as Record<Kind, string>),
    frame: read('--text'),
  }
}

function prepare(element: HTMLElement, width: number, height: number) {
  const canvas = element.querySelector('canvas')
  const context = canvas?.getContext('2d')
  if (!canvas || !context) return undefined
  const scale = devicePixelRatio || 1
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  return { canvas, context, scale }
}

function paintRow(
  { element, coin, chosen, width: cssWidth, height: cssHeight }: Row & { width: number; height: number },
  coverage: Coverage,
  colours: Colours,
): void {
  const prepared = prepare(element, cssWidth, cssHeight)
  if (!prepared) return
  const { canvas, context, scale } = prepared
  const width = canvas.width / coverage.days
  const gap = width > 5 * scale ? scale : 0
  for (let index = 0; index < coverage.days; index += 1) {
    const box = { left: index * width, width: Math.max(1, width - gap), height: canvas.height }
    paintDay(context, box, dayOf(coverage, coin, index), colours)
  }
  if (chosen === undefined) return
  context.strokeStyle = colours.frame
  context.lineWidth = 2 * scale
  context.strokeRect(chosen * width, scale, Math.max(2 * scale, width - gap), canvas.height - 2 * scale)
}

type Box = Readonly<{ left: number; width: number; height: number }>

/** Complete: filled; partial: by share; no trades: a line; queued: at least a foot; missing: a frame. */
function paintDay(
  context: CanvasRenderingContext2D,
  { left, width, height }: Box,
  { kind, stored, absent, missing }: Day,
  colours: Colours,
): void {
  context.fillStyle = colours.none
  context.fillRect(left, 0, width, height)
  context.fillStyle = colours[kind]
  if (kind === 'complete') context.fillRect(left, 0, width, height)
  if (kind === 'absent') context.fillRect(left, height * 0.42, width, height * 0.16)
  if (kind === 'queued' || kind === 'partial') {
    const share = (stored + absent) / Math.max(1, stored + absent + missing)
    const least = kind === 'queued' ? 0.3 : 0.15
    context.fillRect(left, height * (1 - Math.max(least, share * 0.9)), width, height)
  }
  if (kind !== 'missing') return
  context.fillRect(left, 0, width, height)
  context.fillStyle = colours.none
  const edge = Math.max(1, height * 0.14)
  const side = Math.min(edge, width * 0.2)
  context.fillRect(left + side, edge, width - 2 * side, height - 2 * edge)
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `2 Mar`, or the month on its first day (January with year). */
function tick(date: Date): string {
  const month = months[date.getUTCMonth()] ?? ''
  if (date.getUTCDate() > 1) return `${date.getUTCDate()} ${month}`
  return date.getUTCMonth() === 0 ? `${month} ${date.getUTCFullYear()}` : month
}

/** First days of months, as many as fit. */
export function paintAxis(axis: HTMLElement, coverage: Coverage): void {
  const prepared = prepare(axis, axis.clientWidth, axis.clientHeight)
  if (!prepared) return
  const { canvas, context, scale } = prepared
  const { color, fontFamily } = getComputedStyle(axis)
  context.fillStyle = color
  context.font = `${11.5 * scale}px ${fontFamily}`
  context.textBaseline = 'top'
  const width = canvas.width / coverage.days
  let free = 0
  for (let index = 0; index < coverage.days; index += 1) {
    const date = new Date(Date.parse(coverage.from) + index * dayMs)
    if (date.getUTCDate() !== 1 && index !== 0) continue
    const text = tick(date)
    const { width: needed } = context.measureText(text)
    const left = index * width
    if (left < free || left + needed > canvas.width) continue
    context.fillText(text, left, scale)
    if (index > 0) context.fillRect(left, canvas.height - 3 * scale, scale, 3 * scale)
    free = left + needed + 8 * scale
  }
}
