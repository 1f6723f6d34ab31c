import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { escapeIdentifier } from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { inSpan } from '../../runtime/trace.ts'
import type { Transaction } from '../transaction.ts'
import { binaryHeader, binaryTrailer } from './binary-copy.ts'

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** A field in COPY's text format; null and undefined are NULL. */
export const copyField = (value: string | number | null | undefined): string =>
  value === null || value === undefined
    ? '\\N'
    : String(value).replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? '')

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

/** Copies text lines into a table and returns the server's row count. */
export const copyInto = (
  tx: Transaction,
  table: string,
  columns: readonly string[],
  lines: Iterable<string>,
): Promise<number> =>
  copy(tx, table, `${escapeIdentifier(table)} (${columnList(columns)}) from stdin`, pieces(lines))

/** Copies binary rows into a table (quoted name) and returns the server's row count. */
export const copyRowsInto = (
  tx: Transaction,
  table: string,
  columns: readonly string[],
  rows: Iterable<Buffer>,
): Promise<number> =>
  copy(tx, table, `${table} (${columnList(columns)}) from stdin (format binary)`, framed(rows))

/** Each network write wakes the server: batch rows into pieces of at least this many bytes. */
const bytesPerPiece = 262_144

function* framed(rows: Iterable<Buffer>): Generator<Buffer> {
  let piece: Buffer[] = [binaryHeader]
  let length = binaryHeader.length
  for (const row of rows) {
    piece.push(row)
    length += row.length
    if (length < bytesPerPiece) continue
    yield* piece.length === 1 ? piece : [Buffer.concat(piece, length)]
    piece = []
    length = 0
  }
  yield Buffer.concat([...piece, binaryTrailer])
}

const columnList = (columns: readonly string[]): string => columns.map(escapeIdentifier).join(', ')

function copy(
  { client }: Transaction,
  table: string,
  statement: string,
  content: Iterable<string | Buffer>,
): Promise<number> {
  const attributes = {
    'db.system.name': 'postgresql',
    'db.operation.name': 'COPY',
    'db.collection.name': table,
  }
  return inSpan('COPY', { kind: 'client', attributes }, async (annotate) => {
    const stream = client.query(copyFrom(`copy ${statement}`))
    await pipeline(Readable.from(content), stream)
    const rows = stream.rowCount ?? 0
    annotate({ 'beacon.rows': rows })
    return rows
  })
}

/** The result of a query in COPY's binary format. */
export async function copyOut({ client }: Transaction, query: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of client.query(copyTo(`copy (${query}) to stdout (format binary)`)))
    chunks.push(chunk)
  return Buffer.concat(chunks)
}
