import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ExportDeps,
  type ExportRequest,
  exportToFiles,
  planExport,
} from '../../src/files/export/export.ts'
import type { CoinSeries } from '../../src/files/export/layout.ts'
import { withDuckDb } from '../../src/lifecycle/archive/duck-db.ts'
import type { Timeframe } from '../../src/market/timeframe.ts'
import { test as base, now } from '../lifecycle/archive/archiving.ts'

/** `test` with a folder for what is written, and all that an export needs. */
export const test = base
  .extend('folder', async ({ dataDir: _ }, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-export-'))
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    return folder
  })
  .extend(
    'exporting',
    ({ pool, settings }): ExportDeps => ({ pool, settings, now, signal: new AbortController().signal }),
  )

export const aSeriesOf = (coinId: string, timeframe: Timeframe | undefined, symbol = 'BTC'): CoinSeries => ({
  coinId,
  timeframe,
  coin: {
    id: coinId,
    symbol,
    name: 'A coin',
    markets: [{ coinId, source: 'binance', symbol: `${symbol}USDT`, preference: 0, trackedFrom: now }],
  },
})

export const aRequest = (
  series: readonly CoinSeries[],
  out: string,
  parts: Partial<ExportRequest> = {},
): ExportRequest => ({
  table: 'candles',
  series,
  range: { from: undefined, to: now },
  format: 'csv',
  layout: 'file',
  out,
  gaps: 'leave',
  mayReplace: false,
  ...parts,
})

export const exportThem = async (deps: ExportDeps, request: ExportRequest) =>
  exportToFiles(deps, await planExport(deps, request), () => undefined)

export const linesOf = async (path: string): Promise<string[]> =>
  (await readFile(path, 'utf8')).split('\n').slice(0, -1)

/** What DuckDB answers, each value as text. */
export const askDuckDb = (query: string): Promise<(string | null)[][]> =>
  withDuckDb(async (connection) => {
    const reader = await connection.runAndReadAll(query)
    return reader.getRowsJson().map((row) => row.map((value) => (value === null ? null : String(value))))
  })
