import { constants } from 'node:fs'
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidInput, Misconfigured, Unavailable } from '../../../fault.ts'
import type { ArchiveStorage } from '../archive-storage.ts'
import { DamagedArchive } from '../damaged-archive.ts'

/** Mode 0700: notifications are personal. */
export function folderStorage(folder: string): ArchiveStorage {
  const pathOf = (fileName: string): string => {
    const path = resolve(folder, fileName)
    if (!path.startsWith(folder + sep)) throw new InvalidInput(`"${fileName}" is no file of the archive`)
    return path
  }
  const draftOf = (fileName: string): string => `${pathOf(fileName)}.draft`
  return {
    place: pathToFileURL(`${folder}/`).href,
    draftOf: async (fileName) => {
      await withFolder(folder, () => makeFolder(dirname(pathOf(fileName))))
      return draftOf(fileName)
    },
    publish: (fileName) =>
      withFolder(folder, async () => {
        await rename(draftOf(fileName), pathOf(fileName))
        await syncFolder(dirname(pathOf(fileName)))
      }),
    withFile: async (fileName, work) => {
      if (!(await exists(pathOf(fileName)))) {
        throw new DamagedArchive(
          `${fileName} is not in ${folder}: put it back there, or set ARCHIVE_URL to where it is`,
        )
      }
      return work(pathOf(fileName))
    },
    has: (fileName) => exists(pathOf(fileName)),
    list: () => withFolder(folder, () => filesIn(folder)),
    remove: (fileName) =>
      withFolder(folder, async () => {
        await rm(draftOf(fileName), { force: true })
        await rm(pathOf(fileName), { force: true })
      }),
    close: () => undefined,
  }
}

async function filesIn(folder: string): Promise<string[]> {
  if (!(await exists(folder))) return []
  const names = await readdir(folder, { recursive: true })
  return names
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => name.split(sep).join('/'))
    .toSorted()
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw asFault(error, path)
  }
}

/** A folder is durable after its parent is synced. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  for (let made = path; first !== undefined && made.startsWith(first); made = dirname(made)) {
    await syncFolder(dirname(made))
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Turns file system errors into faults. */
export async function withFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asFault(error, folder)
  }
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

const passing = new Set([
  'EIO',
  'EMFILE',
  'ENFILE',
  'EBUSY',
  'ESTALE',
  'EAGAIN',
  'ETIMEDOUT',
  'EINTR',
  'ENOMEM',
])

/** Adds the remedy to file system errors; others are unchanged. */
export function asFault(error: unknown, path: string): unknown {
  const code = codeOf(error)
  if (!(error instanceof Error) || typeof code !== 'string' || !isOfFileSystem(error)) return error
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Unavailable(`there is no room for the archive in ${path}: make room, and it is tried again`, {
      cause: error,
    })
  }
  if (passing.has(code)) {
    return new Unavailable(`the disk of the archive in ${path} failed (${code}): check it, and try again`, {
      cause: error,
    })
  }
  return new Misconfigured(
    `the archive's folder ${path} cannot be used (${code}): make it writable for this user, or set ARCHIVE_URL to one that is`,
    { cause: error },
  )
}

/** Network errors have the same form. */
const isOfFileSystem = (error: Error): boolean =>
  'syscall' in error && !/^(connect|getaddrinfo|bind|listen|accept)/.test(String(error.syscall))

export async function makeDraftFolder(path: string): Promise<void> {
  await withFolder(path, () => makeFolder(path))
}

export const inFolder = (folder: string, fileName: string): string =>
  join(folder, fileName.replaceAll('/', '.'))
