import { isTimestamp, microsText, type OpenWriter, textSink } from './row-writer.ts'

/** https://www.rfc-editor.org/rfc/rfc4180 */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

export const csvLine = (texts: readonly (string | null)[]): string =>
  texts.map((text) => (text === null ? '' : quoted(text))).join(',')

/** With a header; NULL is empty. */
export const openCsvWriter: OpenWriter = async (sink, columns) => {
  const write = textSink(sink)
  const times = columns.map(isTimestamp)
  const field = (text: string | null, place: number): string =>
    text === null ? '' : times[place] ? microsText(text) : quoted(text)
  await write(`${columns.map(({ name }) => name).join(',')}\n`)
  return {
    write: (rows) => write(rows.map((row) => `${row.map(field).join(',')}\n`).join('')),
    end: async () => {},
  }
}
