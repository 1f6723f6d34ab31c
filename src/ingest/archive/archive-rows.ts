import { createHash } from 'node:crypto'
import { Malformed } from '../../fault.ts'
import { type ArchiveFile, csvName, readChecksum } from '../../sources/binance-archive.ts'
import { type ArchiveContent, type ArchiveReading, ContentReader } from './content-reader.ts'
import { readZip, type ZipEntry } from './zip.ts'

/**
 * Verifies a zip's checksum and that its one CSV holds mostly candles of this market, timeframe and range. Bad lines
 * affect only their candle. Throws Malformed.
 */
export async function readArchiveFile(
  file: ArchiveFile,
  zip: Buffer,
  checksum: string,
  reading: ArchiveReading,
): Promise<ArchiveContent> {
  const expected = readChecksum(checksum, file)
  if (createHash('sha256').update(zip).digest('hex') !== expected)
    throw new Malformed(`the zip of ${csvName(file)} is not the one that its checksum is of`)
  const entry = readZip(zip)
  if (entry.name !== csvName(file))
    throw new Malformed(`the zip holds ${entry.name.slice(0, 100)} instead of ${csvName(file)}`)
  const content = new ContentReader(file, reading)
  for await (const lines of wholeLines(entry)) {
    if (!content.take(lines)) return readTogether(file, entry, reading)
  }
  return content.end()
}

/** For unsorted files: duplicate lines are compared. */
async function readTogether(
  file: ArchiveFile,
  entry: ZipEntry,
  reading: ArchiveReading,
): Promise<ArchiveContent> {
  const texts: string[] = []
  for await (const lines of wholeLines(entry)) {
    const text = lines.toString('latin1')
    texts.push(
      ...text
        .split('\n')
        .slice(0, -1)
        .map((line) => line.trimEnd()),
    )
  }
  const content = new ContentReader(file, reading)
  content.takeAll(texts)
  return content.end()
}

const lineFeed = 10
const longestLine = 10_000

/** Complete lines of each unpacked piece. */
async function* wholeLines(entry: ZipEntry): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of entry.pieces()) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const end = bytes.lastIndexOf(lineFeed) + 1
    rest = bytes.subarray(end)
    if (rest.length > longestLine) throw new Malformed(`${entry.name} has a line without an end`)
    if (end > 0) yield bytes.subarray(0, end)
  }
  if (rest.toString('latin1').trim() !== '') yield Buffer.concat([rest, Buffer.of(lineFeed)])
}
