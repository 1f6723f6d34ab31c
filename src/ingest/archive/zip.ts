import { createInflateRaw } from 'node:zlib'
import { Malformed } from '../../fault.ts'
import { crc32 } from '../../http/crc32.ts'

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

/** The single entry of a zip. */
export type ZipEntry = Readonly<{
  name: string
  /** Uncompressed, in bytes. */
  size: number
  pieces(): AsyncGenerator<Buffer>
}>

const endSignature = 0x06054b50
const endLength = 22
const longestComment = 0xffff
const centralSignature = 0x02014b50
const localSignature = 0x04034b50
const localLength = 30
const encrypted = 1
const stored = 0
const deflated = 8
/** ZIP64 marker. */
const tooLarge = 0xffffffff

/** Throws Malformed unless the zip is complete with one entry. */
export function readZip(bytes: Buffer): ZipEntry {
  try {
    return readOnlyEntry(bytes)
  } catch (cause) {
    if (cause instanceof RangeError) throw new Malformed('the zip is cut', { cause })
    throw cause
  }
}

function readOnlyEntry(bytes: Buffer): ZipEntry {
  const end = findEnd(bytes)
  const count = bytes.readUInt16LE(end + 10)
  if (count !== 1) throw new Malformed(`the zip holds ${count} files instead of one`)
  const central = bytes.readUInt32LE(end + 16)
  if (bytes.readUInt32LE(central) !== centralSignature) throw new Malformed('the zip has no directory')
  const flags = bytes.readUInt16LE(central + 8)
  const method = bytes.readUInt16LE(central + 10)
  const crc = bytes.readUInt32LE(central + 16)
  const packedSize = bytes.readUInt32LE(central + 20)
  const size = bytes.readUInt32LE(central + 24)
  const name = bytes.toString('utf8', central + 46, central + 46 + bytes.readUInt16LE(central + 28))
  const local = bytes.readUInt32LE(central + 42)
  if (bytes.readUInt32LE(local) !== localSignature) throw new Malformed('the zip has no file where it says')
  if ((flags & encrypted) !== 0 || (method !== stored && method !== deflated) || size === tooLarge)
    throw new Malformed('the zip is packed in a way that is not known here')
  // Local extra fields may differ from the directory's.
  const start = local + localLength + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
  if (start + packedSize > central) throw new Malformed('the zip is cut')
  const packed = bytes.subarray(start, start + packedSize)
  return { name, size, pieces: () => wholeContent(packed, method, { size, crc }) }
}

function findEnd(bytes: Buffer): number {
  const first = Math.max(0, bytes.length - endLength - longestComment)
  for (let at = bytes.length - endLength; at >= first; at--)
    if (bytes.readUInt32LE(at) === endSignature) return at
  throw new Malformed('the file is no zip, or is cut')
}

async function* wholeContent(
  packed: Buffer,
  method: number,
  expected: Readonly<{ size: number; crc: number }>,
): AsyncGenerator<Buffer> {
  let read = 0
  let crc = 0
  for await (const chunk of method === stored ? [packed] : inflated(packed)) {
    read += chunk.length
    // Stop at content longer than declared.
    if (read > expected.size) break
    crc = crc32(chunk, crc)
    yield chunk
  }
  if (read !== expected.size)
    throw new Malformed(`the zip's file is not of the ${expected.size} bytes that it says`)
  if (crc !== expected.crc) throw new Malformed("the zip's file is damaged: its CRC-32 differs")
}

const pieceBytes = 64 * 1_024

async function* inflated(packed: Buffer): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw({ chunkSize: pieceBytes })
  try {
    inflate.end(packed)
    yield* inflate
  } catch (cause) {
    throw new Malformed('the zip cannot be unpacked', { cause })
  } finally {
    inflate.destroy()
  }
}
