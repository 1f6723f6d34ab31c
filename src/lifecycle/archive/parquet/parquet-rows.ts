import type { SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { ArchiveColumn } from '../../../store/lifecycle/archives/archive-content.ts'
import { type ColumnForm, formOf } from './column-form.ts'
import { compression } from './compression.ts'

/** A row group is encoded synchronously: bounds memory and event loop delay. */
const rowsPerGroup = 16_384
const charactersPerGroup = 4_000_000

export type FormedColumn = ArchiveColumn & Readonly<{ form: ColumnForm }>

export const formedColumns = (columns: readonly ArchiveColumn[]): readonly FormedColumn[] =>
  columns.map((column) => ({ ...column, form: formOf(column) }))

/** Writes rows of PostgreSQL texts (timestamps in microseconds) as Parquet, in memory of one row group. */
export class ParquetRows {
  readonly #columns: readonly FormedColumn[]
  readonly #writer: ParquetWriter
  #group: GrowingGroup
  #rows = 0

  constructor(file: ByteWriter, columns: readonly ArchiveColumn[], facts: Readonly<Record<string, string>>) {
    this.#columns = formedColumns(columns)
    this.#writer = new ParquetWriter({
      writer: file,
      schema: schemaOf(this.#columns, 'today'),
      codec: compression.codec,
      compressors: { [compression.codec]: compression.compress },
      createdBy: 'beacon-ingest',
      kvMetadata: Object.entries(facts).map(([key, value]) => ({ key, value })),
    })
    this.#group = emptyGroup(this.#columns)
  }

  get rows(): number {
    return this.#rows
  }

  /** Returns true when `flush` is due. */
  add(fields: readonly (string | null)[]): boolean {
    const group = this.#group
    if (fields.length !== this.#columns.length) throw new Error(`a row has ${fields.length} values`)
    for (let index = 0; index < fields.length; index += 1) {
      const field = fields[index] ?? null
      group.data[index]?.push(field === null ? null : this.#columns[index]?.form.encode(field))
      group.characters += field === null ? 0 : field.length
    }
    group.rows += 1
    return group.rows >= rowsPerGroup || group.characters >= charactersPerGroup
  }

  /** Writes the rows that were added as a row group. */
  async flush(): Promise<void> {
    const group = this.#group
    this.#rows += group.rows
    await this.#writer.write({
      columnData: this.#columns.map(({ name, form }, index) => ({
        name,
        data: group.data[index] ?? [],
        statistics: form.statistics,
        ...(form.encoding && { encoding: form.encoding }),
        offsetIndex: false,
      })),
      rowGroupSize: Math.max(1, group.rows),
    })
    this.#group = emptyGroup(this.#columns)
  }

  async finish(): Promise<void> {
    // A file without rows still has its columns.
    if (this.#group.rows > 0 || this.#rows === 0) await this.flush()
    // The library would convert annotated columns; annotations are added only now.
    this.#writer.schema = schemaOf(this.#columns, 'both')
    await this.#writer.finish()
  }
}

/** Passes on each row group's bytes, with back pressure. */
class SinkWriter extends ByteWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    super()
    this.#write = write
  }

  async flush(): Promise<void> {
    await this.#write(this.getBytes())
    this.index = 0
  }

  override finish(): Promise<void> {
    return this.flush()
  }
}

export const openParquetRows = (
  write: (bytes: Uint8Array) => Promise<void>,
  columns: readonly ArchiveColumn[],
  facts: Readonly<Record<string, string>>,
): ParquetRows => new ParquetRows(new SinkWriter(write), columns, facts)

/** `today`: without the older annotations. */
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

type GrowingGroup = { rows: number; characters: number; readonly data: readonly unknown[][] }

const emptyGroup = (columns: readonly FormedColumn[]): GrowingGroup => ({
  rows: 0,
  characters: 0,
  data: columns.map((): unknown[] => []),
})
