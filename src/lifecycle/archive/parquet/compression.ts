import * as zlib from 'node:zlib'
import type { CompressionCodec } from 'hyparquet'

type Compression = Readonly<{
  codec: CompressionCodec
  compress(bytes: Uint8Array): Uint8Array
}>

/** Of Node 22.15 and newer. The types of the oldest Node that we run on do not know them. */
const zstdCompress = ofNode('zstdCompressSync')
const zstdDecompress = ofNode('zstdDecompressSync')

function ofNode(name: string): ((bytes: Uint8Array) => Uint8Array) | undefined {
  const found: unknown = Reflect.get(zlib, name)
  if (typeof found !== 'function') return undefined
  return (bytes) => {
    const result: unknown = found(bytes)
    if (result instanceof Uint8Array) return result
    throw new TypeError(`${name} gave no bytes`)
  }
}

/** How new files are compressed: zstd where Node has it, gzip elsewhere. Every reader of Parquet knows both. */
export const compression: Compression = zstdCompress
  ? { codec: 'ZSTD', compress: zstdCompress }
  : { codec: 'GZIP', compress: (bytes) => zlib.gzipSync(bytes) }

type Decompressors = Partial<Record<CompressionCodec, (bytes: Uint8Array, length: number) => Uint8Array>>

/** For files of either kind. A page never becomes larger than its header says. */
export const decompressors: Decompressors = {
  // Zero would mean no limit of ours.
  GZIP: (bytes, length) => zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, length) }),
  ...(zstdDecompress && { ZSTD: zstdDecompress }),
}
