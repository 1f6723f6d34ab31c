import { columnsOf, padded } from './columns.ts'
import { terminalSize } from './output.ts'
import { widestNumber, widestWord, wrap } from './wrap.ts'

export type Column<Row> = Readonly<{
  title: string
  of(row: Row): string
  align?: 'right'
  /** May wrap. */
  wraps?: true
  /** Dropped lowest first if too wide; absent: never. */
  leaveOut?: number
  /** Common trailing zeros are removed. */
  decimals?: true
}>

const gap = '  '
/** Minimum widths. */
const leastProse = 20
const leastName = 16

/** Fits by wrapping prose, dropping columns, wrapping names, then as records. Numbers are never broken. */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { width }: Readonly<{ width: number }> = terminalSize(),
): string {
  const measured = columns.map((column) => measure(rows, column))
  for (const least of [leastOf, leastOfName]) {
    const shown = shownColumns(measured, least, width)
    const widths = widthsOf(shown, least, width)
    if (widths) return [...linesOf(shown, widths), ...missingNote(measured, shown, width)].join('\n')
  }
  return records(measured, width)
}

/** Required columns plus the most important that fit. */
function shownColumns(columns: readonly Measured[], least: Least, width: number): readonly Measured[] {
  const optional = columns.filter(isOptional).toSorted((a, b) => b.leaveOut - a.leaveOut)
  return optional.reduce(
    (shown, column) => {
      const more = columns.filter((one) => one === column || shown.includes(one))
      return widthsOf(more, least, width) ? more : shown
    },
    columns.filter((column) => !isOptional(column)),
  )
}

type Measured = Readonly<{
  title: string
  cells: readonly string[]
  align: 'left' | 'right'
  wraps: boolean
  leaveOut: number | undefined
  natural: number
}>

function measure<Row>(rows: readonly Row[], column: Column<Row>): Measured {
  const { title, align = 'left', wraps = false, leaveOut, decimals = false } = column
  const texts = rows.map((row) => column.of(row).replaceAll(/\s+/g, ' ').trim())
  const cells = decimals ? withoutZeros(texts) : texts
  return { title, cells, align, wraps, leaveOut, natural: widest([title, ...cells], columnsOf) }
}

/** Common decimals. */
function withoutZeros(numbers: readonly string[]): string[] {
  const needed = widest(numbers, (text) => /\.(\d*[1-9])?0*$/.exec(text)?.[1]?.length ?? 0)
  return numbers.map((text) =>
    text.replace(/\.\d+$/, (part) => (needed === 0 ? '' : part.slice(0, needed + 1))),
  )
}

const widest = (texts: readonly string[], of: (text: string) => number): number =>
  texts.reduce((most, text) => Math.max(most, of(text)), 0)

const isOptional = (column: Measured): column is Measured & { leaveOut: number } =>
  column.leaveOut !== undefined

type Least = (column: Measured) => number

/** Minimum width: titles and prose wrap. */
const leastOf: Least = (column) =>
  column.wraps
    ? leastWrapped(column, leastProse)
    : Math.max(widestWord(column.title), widest(column.cells, columnsOf))

const leastOfName: Least = (column) => leastWrapped(column, leastName)

/** At most `enough`, but at least its numbers and title. */
const leastWrapped = ({ title, cells }: Measured, enough: number): number =>
  Math.max(
    widestWord(title),
    widest(cells, (text) => Math.max(widestNumber(text), Math.min(enough, columnsOf(text)))),
  )

/** Undefined if they do not fit. */
function widthsOf(columns: readonly Measured[], least: Least, width: number): number[] | undefined {
  const room = width - gap.length * (columns.length - 1)
  const widths = columns.map((column) => Math.min(least(column), column.natural))
  let left = room - widths.reduce((sum, each) => sum + each, 0)
  if (left < 0) return undefined
  const wanting = columns
    .map(({ natural }, index) => ({ index, more: natural - (widths[index] ?? 0) }))
    .toSorted((a, b) => a.more - b.more)
  for (const [place, { index, more }] of wanting.entries()) {
    const share = Math.floor(left / (wanting.length - place))
    // Wrapped titles need no more room.
    const given = more <= share ? more : columns[index]?.wraps || least === leastOfName ? share : 0
    widths[index] = (widths[index] ?? 0) + given
    left -= given
  }
  return widths
}

function linesOf(columns: readonly Measured[], widths: readonly number[]): string[] {
  const count = columns[0]?.cells.length ?? 0
  const titles = rowLines(
    columns,
    widths,
    columns.map(({ title }) => title),
  )
  const rows = Array.from({ length: count }, (_, row) =>
    rowLines(
      columns,
      widths,
      columns.map(({ cells }) => cells[row] ?? ''),
    ),
  )
  return [titles, ...rows].flat()
}

function rowLines(
  columns: readonly Measured[],
  widths: readonly number[],
  texts: readonly string[],
): string[] {
  const wrapped = texts.map((text, index) =>
    columnsOf(text) <= (widths[index] ?? 0) ? [text] : wrap(text, widths[index] ?? 0),
  )
  const height = Math.max(...wrapped.map((lines) => lines.length))
  return Array.from({ length: height }, (_, line) =>
    columns
      .map(({ align }, index) =>
        padded(wrapped[index]?.[line] ?? '', widths[index] ?? 0, align === 'right' ? 'left' : 'right'),
      )
      .join(gap)
      .trimEnd(),
  )
}

function missingNote(columns: readonly Measured[], shown: readonly Measured[], width: number): string[] {
  const missing = columns.filter((column) => !shown.includes(column)).map(({ title }) => title)
  return missing.length === 0
    ? []
    : wrap(`Not shown in ${width} columns: ${missing.join(', ')}. Widen the terminal or use --json.`, width)
}

/** One line per column. */
function records(columns: readonly Measured[], width: number): string {
  const titleWidth = widest(
    columns.map(({ title }) => title),
    columnsOf,
  )
  const valueWidth = width - titleWidth - gap.length
  const isBeside = columns.every((column) => leastOfName({ ...column, title: '' }) <= valueWidth)
  const count = columns[0]?.cells.length ?? 0
  const blocks = Array.from({ length: count }, (_, row) =>
    columns.flatMap(({ title, cells }) => {
      const value = cells[row] ?? ''
      if (!isBeside) return [...wrap(title, width), ...wrap(value, width - 2).map((line) => `  ${line}`)]
      return wrap(value, valueWidth).map((line, index) =>
        `${padded(index === 0 ? title : '', titleWidth, 'right')}${gap}${line}`.trimEnd(),
      )
    }),
  )
  return blocks.map((lines) => lines.join('\n')).join('\n\n')
}
