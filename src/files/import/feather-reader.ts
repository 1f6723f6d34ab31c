import { open } from 'node:fs/promises'
import type { DataType, Vector } from 'apache-arrow'
import { InvalidInput, Malformed } from '../../fault.ts'
import { toInstant, toIso } from '../../market/instant.ts'
import { type Arrow, loadArrow } from '../formats/arrow-library.ts'
import { type ColumnMapping, placesByName } from './column-names.ts'
import { type FileRows, RowGroups } from './file-rows.ts'
import { readRow } from './read-row.ts'

/** From freqtrade or `beacon export`, by record batch. */
export async function* featherRows(path: string, mapping: ColumnMapping): AsyncGenerator<FileRows> {
  const arrow = await loadArrow()
  const handle = await open(path)
  try {
    const reader = await arrow.RecordBatchReader.from(handle)
    for await (const batch of reader) {
      const columns = batch.schema.fields.map(({ name, type }, place) => ({
        name,
        textAt: textReader(arrow, type, batch.getChildAt(place)),
      }))
      yield* groupsOf(path, columns, batch.numRows, mapping)
    }
  } catch (cause) {
    if (cause instanceof InvalidInput || cause instanceof Malformed) throw cause
    throw new Malformed(`${path} cannot be read as a Feather file: ${String(cause)}`, { cause })
  } finally {
    await handle.close()
  }
}

type TextColumn = Readonly<{ name: string; textAt(row: number): string | undefined }>

function* groupsOf(
  path: string,
  columns: readonly TextColumn[],
  count: number,
  mapping: ColumnMapping,
): Generator<FileRows> {
  const places = placesByName(
    columns.map(({ name }) => name),
    mapping,
    undefined,
  )
  if (!places)
    throw new InvalidInput(
      `${path} has the columns ${columns.map(({ name }) => name).join(', ')}: name those of a candle with --columns time=…,open=…`,
    )
  const find = (name: string) => columns.find((column) => column.name === name)
  const [coin, timeframe, gap] = [find('coin_id'), find('timeframe'), find('gap')]
  const groups = new RowGroups()
  for (let row = 0; row < count; row += 1) {
    const key =
      coin && timeframe ? { coinId: coin.textAt(row) ?? '', timeframe: timeframe.textAt(row) ?? '' } : {}
    const fields = columns.map((column) => column.textAt(row))
    groups.add(key, gap?.textAt(row) === undefined ? readRow(fields, fields, places) : undefined)
  }
  yield* groups.groups()
}

/** Doubles are written in their shortest form. */
function textReader(
  arrow: Arrow,
  type: DataType,
  vector: Vector | null,
): (row: number) => string | undefined {
  const { DataType: Types } = arrow
  const value = (row: number): unknown => vector?.get(row) ?? undefined
  if (Types.isDecimal(type)) {
    return (row) => {
      const words = value(row)
      return words instanceof Uint32Array ? decimalText(words, type.scale) : undefined
    }
  }
  if (Types.isTimestamp(type)) {
    return (row) => {
      const ms = value(row)
      return typeof ms === 'number' && Number.isInteger(ms) ? toIso(toInstant(ms)) : undefined
    }
  }
  return (row) => {
    const found = value(row)
    return found === undefined ? undefined : String(found)
  }
}

/** Least significant word first. */
function decimalText(words: Uint32Array, scale: number): string {
  const unsigned = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n)
  const unscaled = BigInt.asIntN(32 * words.length, unsigned)
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return unscaled < 0n ? `-${text}` : text
}
