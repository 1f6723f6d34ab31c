import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { DamagedArchive } from '../damaged-archive.ts'

/** SHA-256 of the file with its own place zeroed: detects changes to a file without its manifest. */
export const sealKey = 'seal'
export const unsealed = '0'.repeat(64)

/** Writes the seal into the footer; `before` hashed everything ahead of it. */
export function sealEnd(end: Uint8Array, before: Hash): void {
  const bytes = Buffer.from(end.buffer, end.byteOffset, end.byteLength)
  const at = bytes.lastIndexOf(unsealed)
  if (at < 0) throw new Error('there is no place for the seal')
  const seal = before.copy().update(bytes).digest('hex')
  bytes.write(seal, at, 'latin1')
}

/** Throws DamagedArchive if any byte changed. */
export async function verifySeal(path: string, seal: string | undefined): Promise<void> {
  const at = seal === undefined ? -1 : await placeOf(path, seal)
  if (at >= 0 && (await hashWithZerosAt(path, at)) === seal) return
  throw new DamagedArchive('it is not as it was written: put back a copy of it')
}

/** Parquet ends with footer, 4-byte footer length and `PAR1`. */
const trailerBytes = 8

async function placeOf(path: string, seal: string): Promise<number> {
  const handle = await open(path)
  try {
    const { size } = await handle.stat()
    const trailer = await handle.read(Buffer.alloc(trailerBytes), 0, trailerBytes, size - trailerBytes)
    const length = trailer.buffer.readUInt32LE(0)
    const from = Math.max(0, size - trailerBytes - length)
    const footer = Buffer.alloc(size - from)
    await handle.read(footer, 0, footer.length, from)
    const at = footer.lastIndexOf(seal)
    return at < 0 ? -1 : from + at
  } finally {
    await handle.close()
  }
}

async function hashWithZerosAt(path: string, at: number): Promise<string> {
  const hash = createHash('sha256')
  if (at > 0) for await (const piece of createReadStream(path, { end: at - 1 })) hash.update(piece)
  hash.update(unsealed)
  for await (const piece of createReadStream(path, { start: at + unsealed.length })) hash.update(piece)
  return hash.digest('hex')
}
