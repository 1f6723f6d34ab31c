import { Malformed } from '../../fault.ts'
import { readFooter, readParquet } from '../../lifecycle/archive/parquet/read-parquet.ts'
import { toIso } from '../../market/instant.ts'
import { instantOf } from '../export/exported-table.ts'
import { candleFields, type Places } from './column-names.ts'
import { type FileRows, RowGroups } from './file-rows.ts'
import { readRow } from './read-row.ts'

/** From `beacon export` or the archive, by row group. */
export async function* parquetRows(path: string): AsyncGenerator<FileRows> {
  const { columns } = await readFooter(path)
  const placeOf = (name: string) => columns.findIndex((column) => column.name === name)
  const fieldPlaces = candleFields.map((field) => placeOf(field === 'time' ? 'timestamp' : field))
  if (fieldPlaces.includes(-1))
    throw new Malformed(`${path} holds no candles: only Parquet files of beacon export are imported`)
  const [coin, timeframe, gap] = [placeOf('coin_id'), placeOf('timeframe'), placeOf('gap')]
  for await (const group of readParquet(path, columns)) {
    const groups = new RowGroups()
    const textAt = (place: number, row: number) => group.columns[place]?.[row] ?? undefined
    for (let row = 0; row < group.rows; row += 1) {
      const key =
        coin < 0 || timeframe < 0
          ? {}
          : { coinId: textAt(coin, row) ?? '', timeframe: textAt(timeframe, row) ?? '' }
      const [time, ...values] = fieldPlaces.map((place) => textAt(place, row))
      const fields = [time === undefined ? '' : toIso(instantOf(time)), ...values]
      groups.add(
        key,
        gap >= 0 && textAt(gap, row) !== undefined ? undefined : readRow(fields, fields, inOrder),
      )
    }
    yield* groups.groups()
  }
}

const inOrder: Places = { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 }
