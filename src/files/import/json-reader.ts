import { Malformed } from '../../fault.ts'
import type { CandleRow } from '../../market/candle.ts'
import type { Places } from './column-names.ts'
import type { FileRows } from './file-rows.ts'
import { readRow } from './read-row.ts'
import { excerptOf, textLines } from './text-lines.ts'

/** Consecutive rows of a series together. */
export async function* jsonLineRows(name: string, content: AsyncIterable<Buffer>): AsyncGenerator<FileRows> {
  for await (const lines of textLines(content)) {
    for (const line of lines) {
      if (line === '') continue
      const values = parsed(name, line)
      const text = (key: string): string | undefined =>
        values[key] == null ? undefined : String(values[key])
      const key = { coinId: text('coin_id') ?? '', timeframe: text('timeframe') ?? '' }
      const fields = ['timestamp', 'open', 'high', 'low', 'close', 'volume'].map(text)
      yield text('gap') === undefined
        ? { ...key, rows: [readRow(line, fields, inOrder)] }
        : { ...key, rows: [], marked: 1 }
    }
  }
}

const inOrder: Places = { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 }

function parsed(name: string, line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // The parser's message would quote the line.
  }
  throw new Malformed(`${name} has a line that is not a JSON object: ${excerptOf(line)}`)
}

/** `[[ms, open, high, low, close, volume], …]`, parsed as text to keep all digits. */
export async function* freqtradeJsonRows(
  name: string,
  content: AsyncIterable<Buffer>,
): AsyncGenerator<FileRows> {
  const decoder = new TextDecoder()
  let text = ''
  let before = ''
  for await (const chunk of content) {
    text += decoder.decode(chunk, { stream: true })
    const rows: CandleRow[] = []
    let end = 0
    for (const match of text.matchAll(/\[([^[\]]+)\]/g)) {
      before += text.slice(end, match.index)
      end = match.index + match[0].length
      rows.push(readRow(match[0], (match[1] ?? '').split(','), inOrder))
    }
    text = text.slice(end)
    before = before.replaceAll(/[\s,]/g, '')
    if (before !== '[' && before !== '') break
    yield { rows }
  }
  if (`${before}${text.replaceAll(/[\s,]/g, '')}` !== '[]')
    throw new Malformed(`${name} is not a complete array of candles as freqtrade writes them`)
}
