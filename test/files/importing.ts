import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { type ImportDeps, type ImportRequest, planFile } from '../../src/files/import/import-plan.ts'
import { type ImportedRows, loadFile } from '../../src/files/import/load-file.ts'
import { hour } from '../../src/market/instant.ts'
import { readSettings } from '../../src/settings.ts'
import type { Coin } from '../../src/store/coins.ts'
import { aCoin, at } from '../store/loading.ts'
import { test as base } from '../support/database.ts'

export const now = at('2024-09-01T00:30:00Z')
export const first = at('2024-03-01T00:00:00Z')

/** `test` with a folder, a tracked coin, and all that an import needs. */
export const test = base
  .extend('folder', async ({ database: _ }, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-import-'))
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    return folder
  })
  .extend('coin', ({ pool }) => aTrackedCoin(pool))
  .extend(
    'importing',
    ({ pool, coin }): ImportDeps => ({ pool, settings: readSettings({}), coins: [coin], now }),
  )

export async function aTrackedCoin(pool: Pool): Promise<Coin> {
  const id = await aCoin(pool)
  const market = (source: string, symbol: string, preference: number) => ({
    coinId: id,
    ...{ source, symbol, preference },
    trackedFrom: now,
  })
  return {
    id,
    symbol: 'ETH',
    name: 'A coin',
    markets: [market('binance', 'ETHUSDT', 0), market('kraken', 'XETHZUSD', 1)],
  }
}

export const aRequest = (parts: Partial<ImportRequest> = {}): ImportRequest => ({
  coin: undefined,
  timeframe: undefined,
  source: undefined,
  mapping: {},
  ...parts,
})

/** Plans a file and loads it. */
export async function importFile(
  deps: ImportDeps,
  request: ImportRequest,
  path: string,
  { mayReplace = false, signal = new AbortController().signal } = {},
): Promise<ImportedRows> {
  const { pool, settings } = deps
  const planned = await planFile(deps, request, path)
  const loading = { pool, settings, partitions: new Map(), clock: { now: () => now }, signal }
  return loadFile(loading, planned, { mayReplace, onProgress: () => undefined })
}

export type Value = Readonly<{ time: number; values: readonly string[] }>

/** Candles an hour apart, of which no two are alike. */
export const hours = (count: number, from: number = first): Value[] =>
  Array.from({ length: count }, (_, index) => ({
    time: from + index * hour,
    values: [
      `${100 + index}.25`,
      `${110 + index}.5`,
      `${90 + index}`,
      `${101 + index}.00000001`,
      `${index}.125`,
    ],
  }))

/** Lines as Binance publishes them. */
export const binanceLines = (candles: readonly Value[], unit: 'ms' | 'us'): string =>
  candles
    .map(({ time, values }) => {
      const [opens, closes] =
        unit === 'ms' ? [time, time + hour - 1] : [time * 1_000, (time + hour) * 1_000 - 1]
      return `${[opens, ...values, closes, '1.0', '10', '1.0', '1.0', '0'].join(',')}\n`
    })
    .join('')

export const binanceHeader =
  'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n'

export async function aFile(folder: string, name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

/** What the table has of a coin, a line a candle. */
export async function storedLines(pool: Pool, coinId: string): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', timeframe, to_char(timestamp, 'YYYY-MM-DD HH24:MI'), open, high, low, close, volume) as line
     from ohlcv_data where coin_id = $1 order by timeframe, timestamp`,
    [coinId],
  )
  return rows.map(({ line }) => line)
}

const decimals = (text: string): string => {
  const [whole, fraction = ''] = text.split('.')
  return `${whole}.${fraction.padEnd(8, '0')}`
}

/** The same of candles that a file has. */
export const linesOf = (candles: readonly Value[], timeframe = '1h'): string[] =>
  candles.map(({ time, values }) =>
    [timeframe, new Date(time).toISOString().slice(0, 16).replace('T', ' '), ...values.map(decimals)].join(
      ' ',
    ),
  )
