import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { readZip } from '../../src/ingest/archive/zip.ts'
import { plus } from '../../src/market/instant.ts'
import { closedCandles } from '../../src/replay/candles.ts'
import { binanceArchiveEndpoint } from '../../src/replay/endpoints/binance-archive.ts'
import { at } from '../support/at.ts'
import { play } from './playing.ts'

const now = at('2026-02-10T12:00Z')

const get = (path: string, when = now) =>
  binanceArchiveEndpoint.route(
    `/data/spot/${path}`,
    new URLSearchParams(),
    when,
    binanceArchiveEndpoint.limit,
  ).answer

async function csvOf(bytes: Buffer | undefined): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of readZip(bytes ?? Buffer.alloc(0)).pieces()) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

const month = 'monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-12.zip'
const day = 'daily/klines/BTCUSDT/1h/BTCUSDT-1h-2025-01-01.zip'

describe('the archive', () => {
  test('gives the candles of a month away, in milliseconds before 2025', async () => {
    const { bytes } = get(month)
    expect(readZip(bytes ?? Buffer.alloc(0)).name).toBe('BTCUSDT-1h-2024-12.csv')
    const lines = (await csvOf(bytes)).trimEnd().split('\n')
    const range = { from: at('2024-12-01'), to: at('2025-01-01') }
    const closed = closedCandles('BTCUSDT', '1h', range, now)
    expect(lines.map((line) => line.split(',').slice(0, 7).join(' '))).toEqual(
      closed.map(({ openTime, open, high, low, close, volume, closeTime }) =>
        [openTime, open, high, low, close, volume, closeTime].join(' '),
      ),
    )
    expect(lines.every((line) => line.split(',').length === 12)).toBe(true)
  })

  test('and of a day, in microseconds since', async () => {
    const [first = ''] = (await csvOf(get(day).bytes)).split('\n')
    expect(first.split(',')[0]).toBe('1735689600000000')
    expect(first.split(',')[6]).toBe('1735693199999999')
  })

  test('is the same each time, and has the checksum of it beside', () => {
    const { bytes = Buffer.alloc(0) } = get(day)
    expect(get(day).bytes?.equals(bytes)).toBe(true)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(get(`${day}.CHECKSUM`).body).toBe(`${sha256}  BTCUSDT-1h-2025-01-01.zip\n`)
  })

  test('has a day the morning after, and a month from its first Monday on', () => {
    expect(get(day, at('2025-01-02T05:59Z')).status).toBe(404)
    expect(get(day, at('2025-01-02T06:00Z')).status).toBe(200)
    expect(get(month, at('2025-01-06T00:00Z')).status).toBe(404)
    expect(get(month, at('2025-01-06T12:00Z')).status).toBe(200)
    expect(get('daily/klines/BTCUSDT/1h/BTCUSDT-1h-2026-02-10.zip').status).toBe(404)
  })

  test.each([
    'monthly/klines/NOPEUSDT/1h/NOPEUSDT-1h-2024-12.zip',
    'monthly/klines/BTCUSDT/1h/BTCUSDT-1m-2024-12.zip',
    'monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-13.zip',
    'monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2017-07.zip',
    'monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-12-01.zip',
    'daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-12.zip',
    'daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-02-30.zip',
    'monthly/klines/BTCUSDT/7m/BTCUSDT-7m-2024-12.zip',
  ])('has no %s', (path) => {
    expect(get(path)).toMatchObject({ status: 404, body: expect.stringContaining('<Code>NoSuchKey</Code>') })
  })

  test('has but what was traded in the month of the listing', async () => {
    const [first = ''] = (await csvOf(get('monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2017-08.zip').bytes)).split(
      '\n',
    )
    expect(Number(first.split(',')[0])).toBe(at('2017-08-17T04:00Z'))
  })
})

describe('its lies', () => {
  const ask = async (name: 'missing-file' | 'wrong-checksum' | 'wrong-month') => {
    await using exchange = await play(
      { endpoints: [binanceArchiveEndpoint], faults: [{ when: 'always', fault: { name } }] },
      now,
    )
    const load = async (path: string) => {
      const response = await fetch(`${exchange.urlOf('binance-archive')}/data/spot/${path}`)
      return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
    }
    return { zip: await load(month), checksum: await load(`${month}.CHECKSUM`) }
  }

  test('missing-file', async () => {
    const { zip, checksum } = await ask('missing-file')
    expect([zip.status, checksum.status]).toEqual([404, 404])
  })

  test('wrong-checksum leaves the file as it is', async () => {
    const { zip, checksum } = await ask('wrong-checksum')
    expect(zip.bytes.equals(get(month).bytes ?? Buffer.alloc(0))).toBe(true)
    expect(checksum.bytes.toString()).not.toContain(createHash('sha256').update(zip.bytes).digest('hex'))
  })

  test('wrong-month agrees with its checksum', async () => {
    const { zip, checksum } = await ask('wrong-month')
    expect(checksum.bytes.toString()).toBe(
      `${createHash('sha256').update(zip.bytes).digest('hex')}  BTCUSDT-1h-2024-12.zip\n`,
    )
    const [first = ''] = (await csvOf(zip.bytes)).split('\n')
    expect(Number(first.split(',')[0])).toBeLessThan(at('2024-12-01'))
    expect(Number(first.split(',')[0])).toBeGreaterThanOrEqual(plus(at('2024-12-01'), -32 * 86_400_000))
  })
})
