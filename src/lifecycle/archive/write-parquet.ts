import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import type { SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { ArchiveColumn } from '../../store/lifecycle/archive-content.ts'
import { type ColumnForm, formOf } from './column-form.ts'
import { compression } from './compression.ts'
import { sealEnd, sealKey, unsealed } from './file-seal.ts'

/** A row group is encoded and compressed in one go, so its size bounds both the memory and how long nothing else runs. */
const rowsPerGroup = 16_384
const charactersPerGroup = 4_000_000

export type WrittenFile = Readonly<{ rows: number; bytes: number; sha256: string }>

type FormedColumn = ArchiveColumn & Readonly<{ form: ColumnForm }>

/**
 * Writes lines of COPY's text format as a Parquet file that only its owner reads, and returns once the disk has it.
 * Memory is a row group, whatever the number of rows. `facts` are kept in the file, with a seal, for whoever finds it alone.
 */
export async function writeParquet(
  path: string,
  columns: readonly ArchiveColumn[],
  lines: AsyncIterable<Buffer>,
  facts: Readonly<Record<string, string>>,
): Promise<WrittenFile> {
  const formed = columns.map((column) => ({ ...column, form: formOf(column) }))
  const handle = await open(path, 'w', 0o600)
  try {
    const file = new FileWriter(handle)
    const writer = new ParquetWriter({
      writer: file,
      schema: schemaOf(formed, 'today'),
      codec: compression.codec,
      compressors: { [compression.codec]: compression.compress },
      createdBy: 'beacon-ingest',
      kvMetadata: Object.entries({ ...facts, [sealKey]: unsealed }).map(([key, value]) => ({ key, value })),
    })
    let rows = 0
    for await (const group of rowGroups(formed, lines)) {
      rows += group.rows
      await writer.write({
        columnData: formed.map(({ name, form }, index) => ({
          name,
          data: group.data[index] ?? [],
          statistics: form.statistics,
          ...(form.encoding && { encoding: form.encoding }),
          offsetIndex: false,
        })),
        rowGroupSize: Math.max(1, group.rows),
      })
    }
    // While values are handed over as they lie in the file, no annotation may ask for them to be converted.
    writer.schema = schemaOf(formed, 'both')
    await writer.finish()
    await handle.sync()
    return { rows, bytes: file.offset, sha256: file.digest() }
  } finally {
    await handle.close()
  }
}

/** The schema as a file has it, with the annotations of today alone or with the older ones beside them. */
export function schemaOf(columns: readonly FormedColumn[], annotations: 'today' | 'both'): SchemaElement[] {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.map(
      ({ name, nullable, form }): SchemaElement => ({
        name,
        repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED',
        ...form.element,
        ...(annotations === 'both' && form.older),
      }),
    ),
  ]
}

/** Hands what was written on to the file after each row group. */
class FileWriter extends ByteWriter {
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')

  constructor(handle: FileHandle) {
    super()
    this.#handle = handle
  }

  async flush(): Promise<void> {
    const bytes = this.getBytes()
    this.#hash.update(bytes)
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, at)
      at += bytesWritten
    }
    this.index = 0
  }

  override async finish(): Promise<void> {
    sealEnd(this.getBytes(), this.#hash)
    await this.flush()
  }

  digest(): string {
    return this.#hash.digest('hex')
  }
}

type RowGroup = Readonly<{ rows: number; data: readonly unknown[][] }>

async function* rowGroups(
  columns: readonly FormedColumn[],
  lines: AsyncIterable<Buffer>,
): AsyncGenerator<RowGroup> {
  let group = emptyGroup(columns)
  let isFirst = true
  for await (const piece of linesOf(lines)) {
    for (const line of piece) {
      addLine(group, columns, line)
      if (group.rows < rowsPerGroup && group.characters < charactersPerGroup) continue
      yield group
      group = emptyGroup(columns)
      isFirst = false
    }
  }
  // Also of no rows at all: the file still says which columns there are.
  if (group.rows > 0 || isFirst) yield group
}

function addLine(group: GrowingGroup, columns: readonly FormedColumn[], line: string): void {
  const fields = line.split('\t')
  if (fields.length !== columns.length) throw new Error(`a row of ${fields.length} values has come`)
  for (let index = 0; index < columns.length; index += 1) {
    const form = columns[index]?.form
    if (form) group.data[index]?.push(encoded(form, fields[index] ?? ''))
  }
  group.rows += 1
  group.characters += line.length
}

type GrowingGroup = { rows: number; characters: number; readonly data: readonly unknown[][] }

const emptyGroup = (columns: readonly FormedColumn[]): GrowingGroup => ({
  rows: 0,
  characters: 0,
  data: columns.map((): unknown[] => []),
})

function encoded(form: ColumnForm, field: string): unknown {
  if (field === '\\N') return null
  return form.encode(field.includes('\\') ? unescaped(field) : field)
}

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

const unescaped = (field: string): string =>
  field.replace(/\\(.)/gs, (_, character: string) => escapes[character] ?? character)

/** The lines of each piece, which may end anywhere, without the one that goes on in the next. */
async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new StringDecoder('utf8')
  let begun = ''
  for await (const piece of pieces) {
    const lines = (begun + decoder.write(piece)).split('\n')
    begun = lines.pop() ?? ''
    yield lines
  }
  if (begun + decoder.end() !== '') throw new Error('the rows ended in the middle of one')
}
