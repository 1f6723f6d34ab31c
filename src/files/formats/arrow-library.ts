import { missingPackage } from '../../missing-package.ts'

export type Arrow = typeof import('apache-arrow')

/** Optional package, with LZ4 for pandas' files. */
export async function loadArrow(): Promise<Arrow> {
  try {
    const [arrow, lz4] = await Promise.all([import('apache-arrow'), import('lz4js')])
    arrow.compressionRegistry.set(arrow.CompressionType.LZ4_FRAME, {
      decode: (bytes) => lz4.decompress(bytes),
    })
    return arrow
  } catch (error) {
    throw missingPackage(error, 'Feather files need Apache Arrow, which is not installed', [
      'apache-arrow',
      'lz4js',
    ])
  }
}
