import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingPackage } from '../../missing-package.ts'
import type { Settings } from '../../settings.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { folderStorage } from './storage/folder.ts'

/** The storage that new files go to: `ARCHIVE_URL`, or else a folder in the data folder. */
export const openStorage = ({ environment }: Settings): Promise<ArchiveStorage> =>
  openStorageAt(environment.archiveUrl ?? join(environment.dataDir, 'archive'), environment.dataDir)

/** The storage at a place: a folder's path, `file://…` or `s3://bucket/prefix`. */
async function openStorageAt(place: string, dataDir: string): Promise<ArchiveStorage> {
  if (place.startsWith('s3://')) {
    // Its client is large, and only who uses it should wait for it.
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

/** Does the work with the storage for new files, and closes it. */
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

/**
 * Does the work with the storage that an archive lies in: where it was put, or, where it is not there, where new ones are
 * put, as after a move.
 */
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
