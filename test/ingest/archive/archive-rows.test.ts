import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../../src/fault.ts'
import { verifyArchiveFile } from '../../../src/ingest/archive/archive-rows.ts'
import { readZip } from '../../../src/ingest/archive/zip.ts'
import type { Candle } from '../../../src/market/candle.ts'
import { hour, minute } from '../../../src/market/instant.ts'
import { type Range, union } from '../../../src/market/range.ts'
import type { Timeframe } from '../../../src/market/timeframe.ts'
import { zipOf } from '../../../src/replay/zip.ts'
import { archiveFileAt } from '../../../src/sources/binance-archive.ts'
import { at } from '../../store/loading.ts'

const aDay = (timeframe: Timeframe = '1h') =>
  archiveFileAt('daily', 'ANYUSDT', timeframe, at('2025-01-01T00:00Z'))
const name = 'ANYUSDT-1h-2025-01-01'

type Unit = 'milliseconds' | 'microseconds'

function line(openTime: number, lengthMs = hour, unit: Unit = 'microseconds'): string {
  const close = openTime + lengthMs - 1
  const [from, to] = unit === 'microseconds' ? [`${openTime}000`, `${close}999`] : [openTime, close]
  return `${from},10.5,12.25,9.125,11,100.00000001,${to},1,1,1,1,0`
}

const hours = Array.from({ length: 24 }, (_, index) => aDay().range.from + index * hour)
const csv = hours.map((openTime) => line(openTime)).join('\n')

const checksumOf = (zip: Buffer, of = name) =>
  `${createHash('sha256').update(zip).digest('hex')}  ${of}.zip\n`

const verify = (content: string, entry = `${name}.csv`) => {
  const zip = zipOf(entry, content)
  return verifyArchiveFile(aDay(), zip, checksumOf(zip))
}

async function read(content: string, rowsPerPage = 1_000) {
  const pages: { times: number[]; range: Range }[] = []
  const candles: Candle[] = []
  for await (const { rows, range } of (await verify(content)).pages(rowsPerPage)) {
    const found = rows.flatMap((row) => ('candle' in row ? [row.candle] : []))
    candles.push(...found)
    pages.push({ times: found.map(({ openTime }) => openTime), range })
  }
  return { pages, candles }
}

describe('a file of the archive', () => {
  test('tells how many candles it has, its first and its last, and gives them in pages without a gap', async () => {
    expect(await verify(csv)).toMatchObject({ rowCount: 24, first: hours[0], last: hours.at(-1) })
    const { pages } = await read(csv, 10)
    expect(pages.map(({ times }) => times.length)).toEqual([10, 10, 4])
    expect(pages.flatMap(({ times }) => times)).toEqual(hours)
    expect(union(pages.map(({ range }) => range))).toEqual([aDay().range])
  })

  test.each([
    ['a header line', `open_time,open,high,low,close,volume,close_time,a,b,c,d,e\n${csv}`],
    ['a line feed at its end', `${csv}\n`],
    ['the line ends of Windows', csv.replaceAll('\n', '\r\n')],
    ['milliseconds', hours.map((openTime) => line(openTime, hour, 'milliseconds')).join('\n')],
    [
      'both units of time, line by line',
      hours
        .map((openTime, index) => line(openTime, hour, index % 2 === 0 ? 'milliseconds' : 'microseconds'))
        .join('\n'),
    ],
  ])('with %s is read the same', async (_, content) => {
    const { candles } = await read(content)
    expect(candles.map(({ openTime }) => openTime)).toEqual(hours)
    expect(candles[0]).toMatchObject({ open: '10.5', high: '12.25', low: '9.125', close: '11' })
  })

  test('may leave candles out, and its pages speak for the holes too', async () => {
    const { pages, candles } = await read(csv.split('\n').toSpliced(5, 7).join('\n'), 5)
    expect(candles).toHaveLength(17)
    expect(pages[1]?.range.from).toBe(hours[5])
    expect(union(pages.map(({ range }) => range))).toEqual([aDay().range])
  })

  const lines = csv.split('\n')
  test.each([
    ['no line at all', ''],
    ['only a header', 'open_time,open,high,low,close,volume,close_time,a,b,c,d,e\n'],
    ['a line of the day before', [line(aDay().range.from - hour), ...lines].join('\n')],
    ['a line of the day after', [...lines, line(aDay().range.to)].join('\n')],
    ['a line twice', [...lines, lines.at(-1)].join('\n')],
    ['its lines turned round', lines.toReversed().join('\n')],
    ['minutes for hours', line(aDay().range.from, minute)],
    ['a header in the middle', lines.toSpliced(3, 0, 'open_time,open').join('\n')],
    ['half a line at its end', csv.slice(0, -40)],
    ['a line without an end', `${csv}\n${'1'.repeat(200_000)}`],
    ['a page of HTML in it', '<html><body>We will be back soon</body></html>'],
  ])('is refused with %s', async (_, content) => {
    await expect(verify(content)).rejects.toThrow(Malformed)
  })

  test('is refused under the name of another', async () => {
    await expect(verify(csv, 'ANYUSDT-1h-2025-01-02.csv')).rejects.toThrow(/instead of ANYUSDT-1h-2025-01-01/)
  })

  test('is refused when it is not what its checksum is of', async () => {
    const zip = zipOf(`${name}.csv`, csv)
    const other = checksumOf(Buffer.from('another'))
    await expect(verifyArchiveFile(aDay(), zip, other)).rejects.toThrow(/checksum/)
    await expect(verifyArchiveFile(aDay(), zip, checksumOf(zip, 'OTHER'))).rejects.toThrow(Malformed)
    await expect(verifyArchiveFile(aDay(), zip.subarray(0, -1), checksumOf(zip))).rejects.toThrow(Malformed)
  })

  test('that is cut before its checksum was made is refused, wherever it is cut', async () => {
    const zip = zipOf(`${name}.csv`, csv)
    for (let length = 0; length < zip.length; length += 7) {
      const cut = zip.subarray(0, length)
      await expect(verifyArchiveFile(aDay(), cut, checksumOf(cut))).rejects.toThrow(Malformed)
    }
  })

  test('whose bytes are spoilt is refused or reads as it did, and never fails otherwise', async () => {
    const zip = zipOf(`${name}.csv`, csv)
    for (let index = 0; index < zip.length; index += 5) {
      const spoilt = Buffer.from(zip)
      spoilt[index] = (spoilt[index] ?? 0) ^ 0xff
      const outcome = await verifyArchiveFile(aDay(), spoilt, checksumOf(spoilt)).catch(
        (error: unknown) => error,
      )
      expect(outcome instanceof Malformed || !(outcome instanceof Error)).toBe(true)
    }
  })
})

describe('a zip', () => {
  test('that swells beyond the size it tells is not read to its end', async () => {
    const zip = zipOf('big.csv', 'x'.repeat(5_000_000))
    const small = Buffer.from(zip)
    small.writeUInt32LE(1_000, small.length - 22 - 46 - 'big.csv'.length + 24)
    let read = 0
    const reading = async () => {
      for await (const piece of readZip(small).pieces()) read += piece.length
    }
    await expect(reading()).rejects.toThrow(Malformed)
    expect(read).toBeLessThan(100_000)
  })

  test('of a real tool is read: an extra field, a descriptor behind the file, a comment at the end', async () => {
    const packed = deflateRawSync('hello\n')
    const local = Buffer.alloc(30)
    local.write('PK\x03\x04', 'latin1')
    local.writeUInt16LE(8, 6)
    local.writeUInt16LE(8, 8)
    local.writeUInt16LE(1, 26)
    local.writeUInt16LE(4, 28)
    const descriptor = Buffer.alloc(16)
    const central = Buffer.alloc(46)
    central.write('PK\x01\x02', 'latin1')
    central.writeUInt16LE(8, 8)
    central.writeUInt16LE(8, 10)
    central.writeUInt32LE(packed.length, 20)
    central.writeUInt32LE(6, 24)
    central.writeUInt16LE(1, 28)
    const end = Buffer.alloc(22)
    end.write('PK\x05\x06', 'latin1')
    end.writeUInt16LE(1, 10)
    end.writeUInt32LE(30 + 1 + 4 + packed.length + descriptor.length, 16)
    end.writeUInt16LE(3, 20)
    const zip = Buffer.concat([
      local,
      Buffer.from('aEXTR'),
      packed,
      descriptor,
      central,
      Buffer.from('a'),
      end,
      Buffer.from('end'),
    ])
    const entry = readZip(zip)
    const pieces: Buffer[] = []
    for await (const piece of entry.pieces()) pieces.push(piece)
    expect([entry.name, Buffer.concat(pieces).toString()]).toEqual(['a', 'hello\n'])
  })
})

test('a month of minutes is never held as a whole: its pages come while it is being unpacked', async () => {
  const file = archiveFileAt('monthly', 'ANYUSDT', '1m', at('2025-01-01T00:00Z'))
  const count = 31 * 24 * 60
  const content = Array.from({ length: count }, (_, index) => line(file.range.from + index * minute, minute))
  const zip = zipOf('ANYUSDT-1m-2025-01.csv', content.join('\n'))
  const verified = await verifyArchiveFile(file, zip, checksumOf(zip, 'ANYUSDT-1m-2025-01'))
  expect(verified.rowCount).toBe(count)
  const sizes: number[] = []
  for await (const { rows } of verified.pages(5_000)) sizes.push(rows.length)
  expect(sizes).toEqual([...Array.from({ length: 8 }, () => 5_000), count - 40_000])
  let pieces = 0
  for await (const piece of readZip(zip).pieces()) {
    expect(piece.length).toBeLessThanOrEqual(64 * 1_024)
    pieces += 1
  }
  expect(pieces).toBeGreaterThan(50)
})
