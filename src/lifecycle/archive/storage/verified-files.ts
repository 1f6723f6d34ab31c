import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Settings } from '../../../settings.ts'
import type { Archive } from '../../../store/lifecycle/archives.ts'
import { verifyBytes } from '../verify-archive.ts'
import { withFolder } from './folder.ts'

/** Verified files by size, times and inode, so that a query need not hash an unchanged file again. */
const known = z.record(z.string(), z.string())

const pathOf = ({ environment }: Settings): string => join(environment.dataDir, 'verified-archives.json')

/** Throws DamagedArchive unless the file has the written bytes. */
export async function verifyOnce(settings: Settings, archive: Archive, path: string): Promise<void> {
  const file = pathOf(settings)
  const before = await looksOf(archive, path)
  const verified = await read(file)
  if (verified[archive.id] === before) return
  await verifyBytes(path, archive)
  // A concurrent change is verified next time.
  await write(file, { ...verified, [archive.id]: before })
}

async function looksOf({ written }: Archive, path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino, dev } = await stat(path, { bigint: true })
  return createHash('sha256')
    .update([path, written?.sha256, size, mtimeNs, ctimeNs, ino, dev].join(' '))
    .digest('hex')
}

/** An unreadable file only costs another verification. */
async function read(file: string): Promise<Record<string, string>> {
  try {
    const found = known.safeParse(JSON.parse(await readFile(file, 'utf8')))
    return found.success ? found.data : {}
  } catch (error) {
    const isKnown = error instanceof SyntaxError || (error instanceof Error && 'code' in error)
    if (isKnown) return {}
    throw error
  }
}

/** Atomic. */
const write = (file: string, verified: Record<string, string>): Promise<void> =>
  withFolder(dirname(file), async () => {
    await mkdir(dirname(file), { recursive: true })
    const draft = `${file}.${process.pid}`
    await writeFile(draft, JSON.stringify(verified), { mode: 0o600 })
    await rename(draft, file)
  })
