import type { Settings } from '../../../settings.ts'
import type { Archive } from '../../../store/lifecycle/archives.ts'
import { withStorageOf } from '../storage.ts'
import { verifyOnce } from './verified-files.ts'

/** Path of a verified local copy. Throws DamagedArchive. */
export type LocalFile = (archive: Archive) => Promise<string>

/** Fetches and verifies each file once, on first use; keeps it until the end. */
export async function withLocalFiles<T>(
  settings: Settings,
  work: (file: LocalFile) => Promise<T>,
): Promise<T> {
  let release = () => {}
  const end = new Promise<void>((resolve) => {
    release = resolve
  })
  const paths = new Map<string, Promise<string>>()
  const uses: Promise<unknown>[] = []
  try {
    return await work((archive) => {
      const known = paths.get(archive.id)
      if (known) return known
      const path = new Promise<string>((resolve, reject) => {
        uses.push(useFile(settings, archive, resolve, end).catch(reject))
      })
      paths.set(archive.id, path)
      return path
    })
  } finally {
    release()
    await Promise.all(uses)
  }
}

const useFile = (
  settings: Settings,
  archive: Archive,
  onPath: (path: string) => void,
  end: Promise<void>,
): Promise<void> =>
  withStorageOf(settings, archive, (storage) =>
    storage.withFile(archive.fileName, async (path) => {
      await verifyOnce(settings, archive, path)
      onPath(path)
      await end
    }),
  )
