import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { escapeIdentifier } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Transaction } from './transaction.ts'

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** A value of a line of COPY's text format; null and undefined are NULL. */
export const copyField = (value: string | number | null | undefined): string =>
  value === null || value === undefined
    ? '\\N'
    : String(value).replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? '')

/** Lines are handed over in pieces of about this many, so that a piece fills a network packet many times over. */
const linesPerPiece = 500

function* pieces(lines: Iterable<string>): Generator<string> {
  let piece: string[] = []
  for (const line of lines) {
    piece.push(line)
    if (piece.length < linesPerPiece) continue
    yield `${piece.join('\n')}\n`
    piece = []
  }
  if (piece.length > 0) yield `${piece.join('\n')}\n`
}

/** Streams lines of COPY's text format into a table and returns how many rows the server took. */
export async function copyInto(
  { client }: Transaction,
  table: string,
  columns: readonly string[],
  lines: Iterable<string>,
): Promise<number> {
  const target = `${escapeIdentifier(table)} (${columns.map(escapeIdentifier).join(', ')})`
  const stream = client.query(copyFrom(`copy ${target} from stdin`))
  await pipeline(Readable.from(pieces(lines)), stream)
  return stream.rowCount ?? 0
}
