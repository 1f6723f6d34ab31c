import type { ArchiveColumn } from '../../store/lifecycle/archives/archive-content.ts'
import { type ArrowColumn, arrowColumn, doubleColumn, timestampColumn } from './arrow-columns.ts'
import { type Arrow, loadArrow } from './arrow-library.ts'
import type { ByteSink, OpenWriter, RowWriter } from './row-writer.ts'

const rowsPerBatch = 65_536

/** Feather, which is Arrow's file format, with decimals as decimal128. https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format */
export const openFeatherWriter: OpenWriter = async (sink, columns) => {
  const arrow = await loadArrow()
  return featherWriter(
    arrow,
    sink,
    columns.map((column) => ({ ...column, form: arrowColumn(arrow, column) })),
  )
}

/** `date` in ms, doubles. https://www.freqtrade.io/en/stable/data-download/ */
export const openFreqtradeFeather: OpenWriter = async (sink, columns) => {
  const arrow = await loadArrow()
  return featherWriter(
    arrow,
    sink,
    columns.map((column, place) => ({
      ...column,
      form: place === 0 ? timestampColumn(arrow, 'millis') : doubleColumn(arrow),
    })),
  )
}

type FormedColumn = ArchiveColumn & Readonly<{ form: ArrowColumn }>

function featherWriter(arrow: Arrow, sink: ByteSink, columns: readonly FormedColumn[]): RowWriter {
  const fields = columns.map(({ name, form, nullable }) => new arrow.Field(name, form.type, nullable))
  const schema = new arrow.Schema(fields)
  const queue = new arrow.AsyncByteQueue<Uint8Array>()
  const chunks = collected(queue)
  const writer = new arrow.RecordBatchFileWriter({ autoDestroy: false }).reset(queue, schema)
  let texts: (string | null)[][] = columns.map(() => [])
  const flush = async () => {
    const length = texts[0]?.length ?? 0
    const children = columns.map(({ form }, place) => form.dataOf(texts[place] ?? []))
    const data = arrow.makeData({ type: new arrow.Struct(fields), length, nullCount: 0, children })
    writer.write(new arrow.RecordBatch(schema, data))
    texts = columns.map(() => [])
    await hand(chunks, sink)
  }
  return {
    write: async (rows) => {
      for (const row of rows) {
        for (const [place, text] of row.entries()) texts[place]?.push(text)
        if ((texts[0]?.length ?? 0) >= rowsPerBatch) await flush()
      }
    },
    end: async () => {
      await flush()
      writer.close()
      await hand(chunks, sink)
    },
  }
}

/** Collects the output, since the library's queue has no back pressure. */
function collected(queue: { write(bytes: Uint8Array): void }): Uint8Array[] {
  const chunks: Uint8Array[] = []
  queue.write = (bytes) => void chunks.push(bytes)
  return chunks
}

async function hand(chunks: Uint8Array[], sink: ByteSink): Promise<void> {
  for (const chunk of chunks.splice(0)) await sink.write(chunk)
}
