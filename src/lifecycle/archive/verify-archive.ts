import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Settings } from '../../settings.ts'
import { differingColumns, sameContent } from '../../store/lifecycle/archives/archive-content.ts'
import type { Archive, Written } from '../../store/lifecycle/archives.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { DamagedArchive } from './damaged-archive.ts'
import { contentOfFile } from './parquet/read-parquet.ts'
import { withStorageOf } from './storage.ts'

/**
 * Reads a file back with code independent of the writer: size, SHA-256 and content by column. Throws DamagedArchive.
 */
export const verifyArchive = (settings: Settings, archive: Archive): Promise<void> =>
  withStorageOf(settings, archive, (storage) => verifyIn(storage, archive))

/** Size, SHA-256 and content by column. Throws DamagedArchive. */
export const verifyIn = (storage: ArchiveStorage, archive: Archive): Promise<void> =>
  storage.withFile(archive.fileName, (path) => verifyFile(path, archive))

/** Size, SHA-256 and content by column. Throws DamagedArchive. */
export async function verifyFile(path: string, archive: Archive): Promise<void> {
  const { fileName, columns } = archive
  const written = await verifyBytes(path, archive)
  const content = await contentOfFile(path, columns)
  if (!sameContent(content, written.content)) {
    const columnNames = differingColumns(content, written.content).join(', ')
    throw damaged(fileName, `does not hold what the table did (${columnNames || 'the number of rows'})`)
  }
}

/** Size and SHA-256 only. */
export async function verifyBytes(path: string, { fileName, written }: Archive): Promise<Written> {
  if (!written) throw new DamagedArchive(`${fileName} was never finished: archive its rows again`)
  const { size } = await stat(path)
  if (size !== written.bytes) {
    throw damaged(fileName, `has ${size} bytes where ${written.bytes} were written`)
  }
  const sha256 = await sha256Of(path)
  if (sha256 !== written.sha256)
    throw damaged(fileName, 'has other bytes than were written (its SHA-256 differs)')
  return written
}

const damaged = (fileName: string, why: string): DamagedArchive =>
  new DamagedArchive(`${fileName} ${why}: put back a copy of it`)

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
