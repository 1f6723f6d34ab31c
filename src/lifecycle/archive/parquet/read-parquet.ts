import { type FileHandle, open } from 'node:fs/promises'
import { type FileMetaData, parquetMetadataAsync, parquetScan, type SchemaElement } from 'hyparquet'
import { Fault, Misconfigured } from '../../../fault.ts'
import { type Instant, toInstant } from '../../../market/instant.ts'
import {
  type ArchiveColumn,
  type Content,
  nullMark,
  valueMark,
  wholeRow,
} from '../../../store/lifecycle/archives/archive-content.ts'
import { DamagedArchive } from '../damaged-archive.ts'
import { type ColumnForm, columnOf } from './column-form.ts'
import { decompressors } from './compression.ts'
import { formedColumns, schemaOf } from './parquet-rows.ts'
import { HashSum } from './text-hash.ts'

/** Values of a row group as PostgreSQL texts; timestamps in microseconds. */
export type TextGroup = Readonly<{ rows: number; columns: readonly (readonly (string | null)[])[] }>

/** Reads row groups. Throws DamagedArchive if it is not Parquet or has other columns than the manifest. */
export async function* readParquet(
  path: string,
  columns: readonly ArchiveColumn[],
  only?: Readonly<{ column: string; value: string }>,
): AsyncGenerator<TextGroup> {
  const formed = formedColumns(columns)
  const handle = await open(path)
  try {
    const file = await bytesOf(handle)
    const metadata = await parquetMetadataAsync(file)
    refuseUnknownCompression(path, metadata)
    const mistake = differenceOf(metadata.schema, schemaOf(formed, 'both'))
    if (mistake !== undefined) throw new DamagedArchive(`${path} ${mistake}`)
    const scan = await parquetScan({
      file,
      metadata: asInjected(metadata),
      compressors: decompressors,
      utf8: false,
    })
    for (const { rowStart, rowEnd } of scan.ranges) {
      if (only !== undefined && !mayHold(metadata, rowStart, only)) continue
      const texts: (string | null)[][] = []
      for (const { name, form } of formed) {
        texts.push(textsOf(form, await scan.readColumn({ column: name, rowStart, rowEnd })))
      }
      yield { rows: rowEnd - rowStart, columns: texts }
    }
  } catch (error) {
    throw asDamage(path, error)
  } finally {
    await handle.close()
  }
}

/** By the row group's min and max. */
function mayHold(
  { row_groups: groups }: FileMetaData,
  rowStart: number,
  { column, value }: Readonly<{ column: string; value: string }>,
): boolean {
  let start = 0
  for (const group of groups) {
    if (start === rowStart) {
      const own = group.columns.find(({ meta_data: data }) => data?.path_in_schema.join('.') === column)
      const { min_value: least, max_value: greatest } = own?.meta_data?.statistics ?? {}
      return (
        typeof least !== 'string' || typeof greatest !== 'string' || (least <= value && value <= greatest)
      )
    }
    start += Number(group.num_rows)
  }
  return true
}

async function bytesOf(handle: FileHandle) {
  const { size } = await handle.stat()
  return {
    byteLength: size,
    slice: async (start: number, end = size): Promise<ArrayBuffer> => {
      const buffer = new ArrayBuffer(Math.max(0, end - start))
      const { bytesRead } = await handle.read(new Uint8Array(buffer), 0, buffer.byteLength, start)
      if (bytesRead < buffer.byteLength) throw new RangeError('the file ends too early')
      return buffer
    },
  }
}

const asDamage = (path: string, error: unknown): unknown =>
  isOfTheSystem(error) || error instanceof Fault
    ? error
    : new DamagedArchive(`${path} cannot be read as a Parquet file: ${String(error)}`, { cause: error })

export type Footer = Readonly<{
  facts: Readonly<Record<string, string>>
  columns: readonly ArchiveColumn[]
}>

/** Reads only the footer. Throws DamagedArchive if it is not Parquet. */
export async function readFooter(path: string): Promise<Footer> {
  const handle = await open(path)
  try {
    const { key_value_metadata: pairs = [], schema } = await parquetMetadataAsync(await bytesOf(handle))
    return {
      facts: Object.fromEntries(pairs.map(({ key, value = '' }) => [key, value])),
      columns: schema.slice(1).map(columnOf),
    }
  } catch (error) {
    throw asDamage(path, error)
  } finally {
    await handle.close()
  }
}

/** First and last time in the first timestamp column; undefined without rows. */
export async function timesOfFile(
  path: string,
  columns: readonly ArchiveColumn[],
): Promise<Readonly<{ first: Instant; last: Instant }> | undefined> {
  const place = columns.findIndex(({ type }) => type.startsWith('timestamp'))
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for await (const group of readParquet(path, columns)) {
    for (const text of group.columns[place] ?? []) {
      if (text === null) continue
      const ms = Math.floor(Number(text) / 1_000)
      first = Math.min(first, ms)
      last = Math.max(last, ms)
    }
  }
  return first <= last ? { first: toInstant(first), last: toInstant(last) } : undefined
}

const isOfTheSystem = (error: unknown): boolean => error instanceof Error && 'syscall' in error

/** Files from a newer Node are not damaged. */
function refuseUnknownCompression(path: string, { row_groups: groups }: FileMetaData): void {
  for (const { columns } of groups) {
    for (const { meta_data: { codec = 'UNCOMPRESSED' } = {} } of columns) {
      if (codec === 'UNCOMPRESSED' || decompressors[codec]) continue
      throw new Misconfigured(
        `${path} is compressed with ${codec}: use Node 22.15 or newer, which knows ZSTD`,
      )
    }
  }
}

/** Without annotations the library returns raw values; it would turn decimals into doubles. */
const asInjected = (metadata: FileMetaData): FileMetaData => ({
  ...metadata,
  schema: metadata.schema.map(({ converted_type: _, logical_type: __, ...element }) => element),
})

const compared = [
  'name',
  'type',
  'type_length',
  'repetition_type',
  'converted_type',
  'precision',
  'scale',
] as const

function differenceOf(found: readonly SchemaElement[], wanted: readonly SchemaElement[]): string | undefined {
  if (found.length !== wanted.length) return `has ${found.length - 1} columns, not ${wanted.length - 1}`
  const wrong = wanted.find((element, index) =>
    compared.some((key) => element[key] !== undefined && element[key] !== found[index]?.[key]),
  )
  return wrong && `has another column in place of ${wrong.name}`
}

const textsOf = (form: ColumnForm, values: ArrayLike<unknown>): (string | null)[] =>
  Array.from(values, (value) => (value === null || value === undefined ? null : form.decode(value)))

/** Equals `contentOf` of the table. */
export async function contentOfFile(path: string, columns: readonly ArchiveColumn[]): Promise<Content> {
  const sums = columns.map(() => new HashSum())
  const whole = new HashSum()
  let rows = 0
  for await (const group of readParquet(path, columns)) {
    for (const [index, values] of group.columns.entries()) for (const value of values) sums[index]?.add(value)
    for (let row = 0; row < group.rows; row += 1) whole.add(rowText(group, row))
    rows += group.rows
  }
  const checksums = columns.map(({ name }, index) => [name, sums[index]?.total() ?? '0'])
  return { rows, checksums: Object.fromEntries([...checksums, [wholeRow, whole.total()]]) }
}

function rowText({ columns }: TextGroup, row: number): string {
  let text = columns[0]?.[row] ?? nullMark
  for (let index = 1; index < columns.length; index += 1)
    text += valueMark + (columns[index]?.[row] ?? nullMark)
  return text
}
