import { isNumber, isTimestamp, microsText, type OpenWriter, textSink } from './row-writer.ts'

/** Decimals are strings: most readers turn numbers into doubles. */
export const openJsonlWriter: OpenWriter = async (sink, columns) => {
  const write = textSink(sink)
  const writers = columns.map((column) => {
    if (isTimestamp(column)) return (text: string) => `"${microsText(text)}"`
    return isNumber(column) ? (text: string) => text : (text: string) => JSON.stringify(text)
  })
  const keys = columns.map(({ name }) => JSON.stringify(name))
  const line = (row: readonly (string | null)[]): string =>
    `{${row.map((text, place) => `${keys[place]}:${text === null ? 'null' : writers[place]?.(text)}`).join(',')}}\n`
  return { write: (rows) => write(rows.map(line).join('')), end: async () => {} }
}
