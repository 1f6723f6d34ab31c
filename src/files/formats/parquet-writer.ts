import { openParquetRows } from '../../lifecycle/archive/parquet/parquet-rows.ts'
import type { OpenWriter } from './row-writer.ts'

/** With DECIMAL columns, like archive files. */
export const openParquetWriter: OpenWriter = async (sink, columns) => {
  const file = openParquetRows((bytes) => sink.write(bytes), columns, { writer: 'beacon export' })
  return {
    write: async (rows) => {
      for (const row of rows) if (file.add(row)) await file.flush()
    },
    end: () => file.finish(),
  }
}
