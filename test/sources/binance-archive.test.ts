import { describe, expect, test } from 'vitest'
import { Blocked, Malformed, RateLimited, Refused, Unavailable, UnknownError } from '../../src/fault.ts'
import {
  type ArchiveFile,
  type ArchiveKind,
  archiveFileAt,
  checksumRequest,
  csvName,
  isHeaderLine,
  publishedAt,
  readArchiveLine,
  readChecksum,
  binanceArchive as source,
  zipRequest,
} from '../../src/sources/binance-archive.ts'
import { names } from '../support/names.ts'
import { anAnswer, at } from './recorded.ts'

const file = (kind: ArchiveKind, iso: string, timeframe: ArchiveFile['timeframe'] = '1h') =>
  archiveFileAt(kind, 'ANYUSDT', timeframe, at(iso))

describe('a file', () => {
  test('is named after its market, timeframe and month or day, in UTC', () => {
    expect(zipRequest(file('monthly', '2024-02-29T23:59:59.999Z', '1m'))).toEqual({
      path: '/data/spot/monthly/klines/ANYUSDT/1m/ANYUSDT-1m-2024-02.zip',
      query: {},
      weight: 1,
    })
    expect(checksumRequest(file('daily', '2024-03-01', '4h')).path).toBe(
      '/data/spot/daily/klines/ANYUSDT/4h/ANYUSDT-4h-2024-03-01.zip.CHECKSUM',
    )
    expect(csvName(file('daily', '2024-03-01'))).toBe('ANYUSDT-1h-2024-03-01.csv')
  })

  test('speaks for a whole month or day', () => {
    expect(file('monthly', '2024-12-31T23:00Z').range).toEqual({
      from: at('2024-12-01'),
      to: at('2025-01-01'),
    })
    expect(file('daily', '2024-02-29T12:00Z').range).toEqual({ from: at('2024-02-29'), to: at('2024-03-01') })
  })

  test('can be counted on a day after the next day, or after the first Monday of the next month', () => {
    expect(publishedAt(file('daily', '2024-02-28'))).toBe(at('2024-03-01'))
    // March 2024 begins on a Friday, April on a Monday, September on a Sunday.
    expect(publishedAt(file('monthly', '2024-02-10'))).toBe(at('2024-03-05'))
    expect(publishedAt(file('monthly', '2024-03-10'))).toBe(at('2024-04-02'))
    expect(publishedAt(file('monthly', '2024-08-10'))).toBe(at('2024-09-03'))
  })
})

describe('a checksum', () => {
  const sha256 = 'ab'.repeat(32)
  const zip = 'ANYUSDT-1h-2024-03.zip'
  const march = file('monthly', '2024-03-01')

  test.each([
    `${sha256}  ${zip}`,
    `${sha256}  ${zip}\n`,
    `${sha256} *${zip}\r\n`,
    `${sha256.toUpperCase()}  ${zip}`,
  ])('is read from %j', (text) => {
    expect(readChecksum(text, march)).toBe(sha256)
  })

  test.each([
    '',
    sha256,
    `${sha256}  ANYUSDT-1h-2024-02.zip`,
    `${sha256.slice(1)}  ${zip}`,
    `${sha256}  ${zip}\n${sha256}  ${zip}`,
    '<?xml version="1.0"?><Error/>',
  ])('is not %j', (text) => {
    expect(() => readChecksum(text, march)).toThrow(Malformed)
  })

  test.each(names)('is read beside the file of %s, as sha256sum writes it', (symbol) => {
    const ofName = archiveFileAt('monthly', symbol, '1h', at('2024-03-01'))
    const isEscaped = symbol.includes('\\')
    const written = isEscaped ? symbol.replaceAll('\\', '\\\\') : symbol
    const text = `${isEscaped ? '\\' : ''}${sha256}  ${written}-1h-2024-03.zip\n`
    expect(readChecksum(text, ofName)).toBe(sha256)
    expect(() => readChecksum(text, march)).toThrow(Malformed)
  })
})

/** The example of Binance's own documentation, in microseconds. */
const line =
  '1735689600000000,4.15070000,4.15870000,4.15060000,4.15540000,539.23000000,1735693199999999,2240.39860900,13,401.82000000,1669.98121300,0'
const inMilliseconds = line
  .replace('1735689600000000', '1735689600000')
  .replace('1735693199999999', '1735693199999')
const january = file('monthly', '2025-01-01')

describe('a line', () => {
  test.each([line, inMilliseconds, `${line}\r`.trimEnd()])(
    'becomes a candle in both units of time: %s',
    (text) => {
      expect(readArchiveLine(text, january)).toMatchObject({
        candle: {
          openTime: at('2025-01-01T00:00Z'),
          open: '4.15070000',
          high: '4.15870000',
          low: '4.15060000',
          close: '4.15540000',
          volume: '539.23000000',
        },
      })
    },
  )

  test('may be a header, which is no candle', () => {
    expect(isHeaderLine('open_time,open,high,low,close,volume,close_time')).toBe(true)
    expect(isHeaderLine(line)).toBe(false)
  })

  test.each([
    ['in seconds', line.replace('1735689600000000', '1735689600'), 'the first column is not a time'],
    ['with columns turned round', line.split(',').toReversed().join(','), 'the first column is not a time'],
    ['with a column less', line.slice(0, line.lastIndexOf(',')), 'the line has 11 columns instead of 12'],
    ['with a column more', `${line},0`, 'the line has 13 columns instead of 12'],
    ['of nothing', '', 'the line has 1 columns instead of 12'],
  ])('%s is a flaw, and concerns no candle', (_, text, flaw) => {
    expect(readArchiveLine(text, january)).toEqual({ raw: text, flaw })
  })

  test('between two milliseconds is off the grid, and a flaw of the candle that holds it', () => {
    const text = line.replace('1735689600000000', '1735689600000001')
    expect(readArchiveLine(text, january)).toEqual({
      raw: text,
      openTime: at('2025-01-01T00:00Z'),
      flaw: '2025-01-01T00:00:00.000Z and 1 µs is not on the 1h grid',
    })
  })

  test.each([
    ['1735693199999999', at('2025-01-01T01:00Z')],
    ['1735693199999', at('2025-01-01T01:00Z')],
    ['1735691294788000', at('2025-01-01T00:28:14.789Z')],
    ['1735691294788999', at('2025-01-01T00:28:14.789Z')],
  ])('closes at the end of what is the last of it: %s', (text, closesAt) => {
    expect(readArchiveLine(line.replace('1735693199999999', text), january)).toMatchObject({ closesAt })
  })

  test('without a close time is a flaw of its candle', () => {
    const text = line.replace('1735693199999999', 'later')
    const openTime = at('2025-01-01T00:00Z')
    expect(readArchiveLine(text, january)).toEqual({
      raw: text,
      openTime,
      flaw: 'the seventh column is not a time',
    })
  })

  test('with a value that is no number is a flaw of its candle, and says which', () => {
    for (const value of ['nan', '', '0x10', 'null']) {
      expect(readArchiveLine(line.replace('4.15060000', value), january)).toEqual({
        raw: expect.stringContaining(`,${value},`),
        openTime: at('2025-01-01T00:00Z'),
        flaw: 'low is not a decimal string',
      })
    }
  })
})

const xml = (code: string) =>
  `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>Words.</Message></Error>`

test.each([
  [404, xml('NoSuchKey'), Refused],
  [404, '', Refused],
  [403, xml('AccessDenied'), Refused],
  [403, '<html>block access from your country</html>', Blocked],
  // Asked again, and then its candles come from the API: a firewall of the files must not stop a backfill.
  [403, '<html>Request blocked</html>', Unavailable],
  [400, xml('RequestTimeout'), Unavailable],
  [500, xml('InternalError'), Unavailable],
  [503, xml('SlowDown'), RateLimited],
  [429, xml('TooManyRequests'), RateLimited],
  [400, xml('SomethingNew'), UnknownError],
])('HTTP %i with %j is a %o', (status, body, Kind) => {
  expect(source.classify(anAnswer(status, body))).toBeInstanceOf(Kind)
})

test('a file is no error, whatever it says', () => {
  expect(source.classify(anAnswer(200, xml('NoSuchKey')))).toBeUndefined()
})
