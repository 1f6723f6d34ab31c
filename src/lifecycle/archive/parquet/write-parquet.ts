import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { ByteWriter } from 'hyparquet-writer'
import { fieldsOf, linesOf } from '../../../store/candles/copy-lines.ts'
import type { ArchiveColumn } from '../../../store/lifecycle/archives/archive-content.ts'
import { sealEnd, sealKey, unsealed } from '../storage/file-seal.ts'
import { ParquetRows } from './parquet-rows.ts'

export type WrittenFile = Readonly<{ rows: number; bytes: number; sha256: string }>

/** Writes COPY text as a Parquet file (mode 0600), fsynced. `facts` go into the file, with a seal. */
export async function writeParquet(
  path: string,
  columns: readonly ArchiveColumn[],
  chunks: AsyncIterable<Buffer>,
  facts: Readonly<Record<string, string>>,
): Promise<WrittenFile> {
  const handle = await open(path, 'w', 0o600)
  try {
    const file = new FileWriter(handle)
    const rows = new ParquetRows(file, columns, { ...facts, [sealKey]: unsealed })
    for await (const lines of linesOf(chunks)) {
      for (const line of lines) if (rows.add(fieldsOf(line))) await rows.flush()
    }
    await rows.finish()
    await handle.sync()
    return { rows: rows.rows, bytes: file.offset, sha256: file.digest() }
  } finally {
    await handle.close()
  }
}

/** Writes after each row group. */
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
