import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingPackage } from '../../missing-package.ts'
import type { Settings } from '../../settings.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { folderStorage } from './storage/folder.ts'

/** `ARCHIVE_URL`, or a folder in the data folder. */
export const openStorage = ({ environment }: Settings): Promise<ArchiveStorage> =>
  openStorageAt(environment.archiveUrl ?? join(environment.dataDir, 'archive'), environment.dataDir)

/** A folder path, `file://…` or `s3://bucket/prefix`. */
async function openStorageAt(place: string, dataDir: string): Promise<ArchiveStorage> {
  if (place.startsWith('s3://')) {
    // The S3 client is large: load it only if needed.
    const { s3Storage } = await loadS3Storage()
    return s3Storage(new URL(place), resolve(dataDir, 'archive-drafts'))
  }
  return folderStorage(resolve(place.startsWith('file://') ? fileURLToPath(place) : place))
}

async function loadS3Storage() {
  try {
    return await import('./storage/s3.ts')
  } catch (error) {
    throw missingPackage(error, 'an archive in S3 needs the AWS SDK, which is not installed', [
      '@aws-sdk/client-s3',
      '@aws-sdk/lib-storage',
    ])
  }
}

/** Closes the storage afterwards. */
export async function withStorage<T>(
  settings: Settings,
  work: (storage: ArchiveStorage) => Promise<T>,
): Promise<T> {
  const storage = await openStorage(settings)
  try {
    return await work(storage)
  } finally {
    storage.close()
  }
}

type Kept = Readonly<{ place: string; fileName: string }>

/** Storage of an archive: where it was written, or the current one if it was moved. */
export async function withStorageOf<T>(
  settings: Settings,
  { place, fileName }: Kept,
  work: (storage: ArchiveStorage) => Promise<T>,
): Promise<T> {
  return withStorage(settings, async (current) => {
    if (current.place === place || (await current.has(fileName))) return work(current)
    const original = await openStorageAt(place, settings.environment.dataDir)
    try {
      return await work(original)
    } finally {
      original.close()
    }
  })
}
