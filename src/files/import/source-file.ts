import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { InvalidInput, Malformed } from '../../fault.ts'
import { readZip } from '../../ingest/archive/zip.ts'
import { hasCode } from '../../runtime/error-code.ts'

export type SourceFile = Readonly<{
  path: string
  /** Unpacked: without `.gz`, or the file in a zip. */
  name: string
  /** Of the packed file. */
  sha256: string
  bytes: number
  /** Unpacked. Throws Malformed if damaged. */
  content(): AsyncIterable<Buffer>
}>

/** Files of the paths; folders recursively by `isWanted`. */
export async function filesAt(
  paths: readonly string[],
  isWanted: (name: string) => boolean,
): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    if (!(await isFolder(path))) found.push(path)
    else {
      const names = (await readdir(path, { recursive: true })).filter(isWanted).toSorted()
      if (names.length === 0) throw new InvalidInput(`${path} has no file of a known format`)
      found.push(...names.map((name) => join(path, name)))
    }
  }
  return [...new Set(found)]
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) throw new InvalidInput(`there is no file ${path}`)
    if (hasCode(cause, 'EACCES')) throw new InvalidInput(`${path} cannot be read: allow it for this user`)
    throw cause
  }
}

/** Verifies a checksum file if there is one. */
export async function openSource(path: string): Promise<SourceFile> {
  const { sha256, bytes } = await hashOf(path)
  await refuseOtherChecksum(path, sha256)
  const facts = { path, sha256, bytes }
  if (path.endsWith('.zip')) {
    const entry = await inFile(path, async () => readZip(await readFile(path)))
    return { ...facts, name: basename(entry.name), content: () => guarded(path, entry.pieces()) }
  }
  const name = basename(path)
  return name.endsWith('.gz')
    ? {
        ...facts,
        name: name.slice(0, -3),
        content: () => guarded(path, createReadStream(path).pipe(createGunzip())),
      }
    : { ...facts, name, content: () => createReadStream(path) }
}

/** Adds the path to errors. */
async function* guarded(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]()
  while (true) {
    const { value, done } = await inFile(path, () => iterator.next())
    if (done) return
    yield value
  }
}

async function inFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof Malformed || hasCode(cause, 'Z_DATA_ERROR', 'Z_BUF_ERROR'))
      throw new Malformed(`${path} cannot be unpacked: ${(cause as Error).message}`, { cause })
    throw cause
  }
}

async function hashOf(path: string): Promise<Readonly<{ sha256: string; bytes: number }>> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** Binance's `NAME.zip.CHECKSUM`, in sha256sum format. */
async function refuseOtherChecksum(path: string, sha256: string): Promise<void> {
  let text: string
  try {
    text = await readFile(`${path}.CHECKSUM`, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  if (!text.toLowerCase().startsWith(sha256))
    throw new Malformed(`${path} differs from its checksum in ${path}.CHECKSUM: download it again`)
}
