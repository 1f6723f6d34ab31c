import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../../src/fault.ts'
import { readArchiveFile } from '../../../src/ingest/archive/archive-rows.ts'
import type { ArchiveReading } from '../../../src/ingest/archive/content-reader.ts'
import { readZip } from '../../../src/ingest/archive/zip.ts'
import { checkCandles } from '../../../src/market/candle-check.ts'
import { hour, minute } from '../../../src/market/instant.ts'
import type { Timeframe } from '../../../src/market/timeframe.ts'
import { zipOf } from '../../../src/replay/zip.ts'
import { archiveFileAt, readArchiveLine } from '../../../src/sources/binance-archive.ts'
import { encodeCandles } from '../../../src/store/candles/candle-rows-writer.ts'
import type { Series } from '../../../src/store/coverage.ts'
import { at } from '../../store/loading.ts'
import { plus } from '../../support/at.ts'

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

const series: Series = { coinId: 'any', timeframe: '1h', source: 'binance' }
const whole: ArchiveReading = { series, missing: [aDay().range], now: at('2025-02-01T00:00Z') }

const read = (content: string, { entry = `${name}.csv`, reading = whole } = {}) => {
  const zip = zipOf(entry, content)
  return readArchiveFile(aDay(), zip, checksumOf(zip), reading)
}

/** The same, line by line. */
function readByText(content: string, { now, series }: ArchiveReading = whole) {
  const rows = content.split('\n').map((text) => readArchiveLine(text, aDay()))
  const { candles, ...rest } = checkCandles(rows, { timeframe: '1h', range: aDay().range, now })
  return { rows: encodeCandles(series, candles), ...rest }
}

const openTimesOf = async (content: string, reading = whole) =>
  (await read(content, { reading })).rows.openTimes

describe('a file of the archive', () => {
  test('gives its candles as the database will get them', async () => {
    expect(await read(csv)).toEqual(readByText(csv))
    expect(await openTimesOf(csv)).toEqual(hours)
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
    expect(await read(content)).toEqual(readByText(csv))
  })

  test('may leave candles out', async () => {
    const kept = hours.toSpliced(5, 7)
    expect(await openTimesOf(kept.map((openTime) => line(openTime)).join('\n'))).toEqual(kept)
  })

  test('gives what is owed of it and nothing else', async () => {
    const part = (from: number, to: number) => ({
      from: plus(aDay().range.from, from * hour),
      to: plus(aDay().range.from, to * hour),
    })
    const missing = [part(-24, 1), part(3, 5), part(5, 6), part(23, 40)]
    expect(await openTimesOf(csv, { ...whole, missing })).toEqual(
      [0, 3, 4, 5, 23].map((index) => hours[index]),
    )
    expect(await openTimesOf(csv, { ...whole, missing: [part(24, 48)] })).toEqual([])
  })

  test('is refused for what is wrong with it where nothing is missing too', async () => {
    const missing = [{ from: aDay().range.from, to: plus(aDay().range.from, hour) }]
    const content = hours.map((openTime, index) => line(openTime, index < 8 ? hour : minute)).join('\n')
    await expect(read(content, { reading: { ...whole, missing } })).rejects.toThrow(
      '16 of 24 lines are no 1h candles of it',
    )
  })

  test('leaves out a candle that is still open, and keeps aside one of the future', async () => {
    const now = plus(aDay().range.from, 5 * hour + 1)
    const { rows, rejected, ignored } = await read(csv, { reading: { ...whole, now } })
    expect([rows.openTimes.length, ignored, rejected.length]).toEqual([5, 1, 18])
    expect(rejected[0]?.reason).toMatch(/opens in the future/)
  })

  const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`))
  const number = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.constantFrom('9', '10', '11'), digits(8)).map((parts) => parts.join('.')),
    },
    fc.tuple(digits(28), digits(12)).map((parts) => parts.join('.')),
    digits(20),
    fc.constantFrom('0', '-1', '.5', '5.', '1e3', '1.5E-7', '', 'nan', '0.000000001', '00.1', '١', '+1'),
  )
  const columns = fc.tuple(number, number, number, number, number)
  test('is read as its lines would be one by one, whatever its numbers are', async () => {
    const lineOf = (values: readonly string[], index: number) =>
      line(hours[index] ?? 0).replace('10.5,12.25,9.125,11,100.00000001', values.join(','))
    await fc.assert(
      fc.asyncProperty(fc.array(columns, { minLength: 1, maxLength: 24 }), async (rows) => {
        const content = Buffer.from(rows.map(lineOf).join('\n'))
        expect(await read(content.toString())).toEqual(readByText(content.toString('latin1')))
      }),
      { numRuns: 300 },
    )
  })

  const lines = csv.split('\n')
  test.each([
    ['no line at all', ''],
    ['only a header', 'open_time,open,high,low,close,volume,close_time,a,b,c,d,e\n'],
    ['the lines of the day before', hours.map((openTime) => line(openTime - 24 * hour)).join('\n')],
    ['minutes for hours', line(aDay().range.from, minute)],
    ['a candle off the grid in every line', hours.map((openTime) => line(openTime + 1_000)).join('\n')],
    ['its columns turned round', lines.map((text) => text.split(',').toReversed().join()).join('\n')],
    ['a line without an end', `${csv}\n${'1'.repeat(200_000)}`],
    ['a page of HTML in it', '<html><body>We will be back soon</body></html>'],
  ])('is refused with %s', async (_, content) => {
    await expect(read(content)).rejects.toThrow(Malformed)
  })

  const at28 = 28 * minute + 14_789
  test.each<[string, string, string]>([
    [
      'off the grid',
      line(hours[3] ?? 0).replace('1735700400000000', `${aDay().range.from + 3 * hour + at28}000`),
      'is not on the 1h grid',
    ],
    ['cut short', line(hours[3] ?? 0, at28), 'cut short: closes 2025-01-01 03:28:14 UTC instead of 04:00'],
    [
      'with a number that is none',
      line(hours[3] ?? 0).replace('9.125', 'nan'),
      'low is not a decimal string',
    ],
  ])('keeps all candles but the one of a line %s', async (_, bad, reason) => {
    const { rows, rejected } = await read(lines.toSpliced(3, 1, bad).join('\n'))
    expect(rows.openTimes).toEqual(hours.toSpliced(3, 1))
    expect(rejected).toMatchObject([{ raw: bad, reason: expect.stringContaining(reason) }])
    expect(Math.floor(Number(rejected[0]?.openTime) / hour)).toBe(Math.floor(Number(hours[3]) / hour))
  })

  test.each<[string, readonly string[], string]>([
    [
      'of the day before',
      [line(aDay().range.from - hour), ...lines],
      '2024-12-31T23:00:00.000Z is not in ANYUSDT-1h-2025-01-01.csv',
    ],
    [
      'of the day after',
      [...lines, line(aDay().range.to)],
      '2025-01-02T00:00:00.000Z is not in ANYUSDT-1h-2025-01-01.csv',
    ],
    [
      'that is a header in the middle',
      lines.toSpliced(3, 0, 'open_time,open'),
      'the line has 2 columns instead of 12',
    ],
    ['that was cut at its end', [...lines, '1735772400000000,10.5'], 'the line has 2 columns instead of 12'],
  ])('rejects a line %s, which concerns no candle of it', async (_, content, reason) => {
    const { rows, rejected } = await read(content.join('\n'))
    expect(rows.openTimes).toEqual(hours)
    expect(rejected.map((row) => row.reason)).toEqual([reason])
  })

  test('may have its lines in any order, and one of them twice', async () => {
    const { rows, ignored } = await read([...lines.toReversed(), lines[7]].join('\n'))
    expect([rows, ignored]).toEqual([(await read(csv)).rows, 1])
    expect(await openTimesOf([...lines, lines.at(-1), ''].join('\n'))).toEqual(hours)
  })

  test('with two lines for one candle takes the later state of it, and disputes what is none', async () => {
    const grown = lines[7]?.replace('100.00000001', '101') ?? ''
    const { rejected, rows } = await read(lines.toSpliced(8, 0, grown).join('\n'))
    expect([rows.openTimes.length, rejected[0]?.isSuperseded, rejected[0]?.raw]).toEqual([24, true, lines[7]])
    const other = lines[7]?.replace('10.5', '10.6') ?? ''
    const disputed = await read(lines.toSpliced(8, 0, other).join('\n'))
    expect([disputed.rows.openTimes.length, disputed.rejected.length]).toEqual([23, 2])
  })

  test('is refused under the name of another', async () => {
    const entry = 'ANYUSDT-1h-2025-01-02.csv'
    await expect(read(csv, { entry })).rejects.toThrow(/instead of ANYUSDT-1h-2025-01-01/)
  })

  test('is refused when it is not what its checksum is of', async () => {
    const zip = zipOf(`${name}.csv`, csv)
    const other = checksumOf(Buffer.from('another'))
    await expect(readArchiveFile(aDay(), zip, other, whole)).rejects.toThrow(/checksum/)
    await expect(readArchiveFile(aDay(), zip, checksumOf(zip, 'OTHER'), whole)).rejects.toThrow(Malformed)
    await expect(readArchiveFile(aDay(), zip.subarray(0, -1), checksumOf(zip), whole)).rejects.toThrow(
      Malformed,
    )
  })

  test('that is cut before its checksum was made is refused, wherever it is cut', async () => {
    const zip = zipOf(`${name}.csv`, csv)
    for (let length = 0; length < zip.length; length += 7) {
      const cut = zip.subarray(0, length)
      await expect(readArchiveFile(aDay(), cut, checksumOf(cut), whole)).rejects.toThrow(Malformed)
    }
  })

  test('whose bytes are spoilt is refused or reads as it did, and never fails otherwise', async () => {
    const zip = zipOf(`${name}.csv`, csv)
    for (let index = 0; index < zip.length; index += 5) {
      const spoilt = Buffer.from(zip)
      spoilt[index] = (spoilt[index] ?? 0) ^ 0xff
      const outcome = await readArchiveFile(aDay(), spoilt, checksumOf(spoilt), whole).catch(
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
    central.writeUInt32LE(0x363a3020, 16)
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

test('a month of minutes is never unpacked as a whole, and takes less than it did where it is read', async () => {
  const file = archiveFileAt('monthly', 'ANYUSDT', '1m', at('2025-01-01T00:00Z'))
  const count = 31 * 24 * 60
  const lines = Array.from({ length: count }, (_, index) => line(file.range.from + index * minute, minute))
  const content = lines.join('\n')
  const zip = zipOf('ANYUSDT-1m-2025-01.csv', content)
  const { rows } = await readArchiveFile(file, zip, checksumOf(zip, 'ANYUSDT-1m-2025-01'), {
    series: { ...series, timeframe: '1m' },
    missing: [file.range],
    now: whole.now,
  })
  expect(rows.openTimes).toHaveLength(count)
  expect(rows.bytes.buffer.byteLength).toBeLessThan(7_000_000)
  let pieces = 0
  for await (const piece of readZip(zip).pieces()) {
    expect(piece.length).toBeLessThanOrEqual(64 * 1_024)
    pieces += 1
  }
  expect(pieces).toBeGreaterThan(50)
})
