import * as zlib from 'node:zlib'
import type { CompressionCodec } from 'hyparquet'

type Compression = Readonly<{
  codec: CompressionCodec
  compress(bytes: Uint8Array): Uint8Array
}>

/** Node 22.15 or newer; missing in the types of older Nodes. */
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

export const compression: Compression = zstdCompress
  ? { codec: 'ZSTD', compress: zstdCompress }
  : { codec: 'GZIP', compress: (bytes) => zlib.gzipSync(bytes) }

type Decompressors = Partial<Record<CompressionCodec, (bytes: Uint8Array, length: number) => Uint8Array>>

/** Output never exceeds the size in the page header. */
export const decompressors: Decompressors = {
  // Zero means no limit.
  GZIP: (bytes, length) => zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, length) }),
  ...(zstdDecompress && { ZSTD: zstdDecompress }),
}
