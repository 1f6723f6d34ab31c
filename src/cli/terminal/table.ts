import { columnsOf, padded } from './columns.ts'

type Column<Row> = Readonly<{ title: string; of(row: Row): string; align?: 'right' }>

/** A table for a terminal: a line of titles, then a line a row. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((column) => column.of(row))),
  ]
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => columnsOf(line[index] ?? ''))))
  const pad = (text: string, index: number) =>
    padded(text, widths[index] ?? 0, columns[index]?.align === 'right' ? 'left' : 'right')
  return cells.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}
