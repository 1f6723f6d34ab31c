import { StringDecoder } from 'node:string_decoder'
import { Malformed } from '../../fault.ts'

const longestLine = 1_000_000

/** Without byte order mark and carriage returns. */
export async function* textLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new StringDecoder('utf8')
  let begun = ''
  let isFirst = true
  for await (const chunk of chunks) {
    const lines = (begun + decoder.write(chunk)).split('\n')
    begun = lines.pop() ?? ''
    if (begun.length > longestLine) throw new Malformed('a line has no end')
    if (isFirst && lines[0] !== undefined) {
      lines[0] = lines[0].replace(/^\uFEFF/, '')
      isFirst = false
    }
    yield lines.map((line) => line.trimEnd())
  }
  const last = (begun + decoder.end()).trimEnd()
  if (last !== '') yield [last.replace(/^\uFEFF/, '')]
}

/** The fields of a line of CSV. https://www.rfc-editor.org/rfc/rfc4180 */
export function csvFields(line: string): string[] {
  if (!line.includes('"')) return line.split(',')
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain,
  )
}

/** For messages, without control characters. */
export const excerptOf = (text: string): string => text.slice(0, 60).replaceAll(/[\p{Cc}\p{Cf}]/gu, '·')
