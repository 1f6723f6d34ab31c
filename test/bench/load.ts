/**
 * Pages of an exchange, already in memory, into the daily partitions: parsed, checked, encoded, written and committed,
 * with the ledger. Held against psql and `\copy` of the same rows into the same tables.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CandleWriter } from '../../src/ingest/candle-writer.ts'
import { prepareRows } from '../../src/ingest/prepare-rows.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { minute, second, toIso } from '../../src/market/instant.ts'
import { binance } from '../../src/sources/binance.ts'
import { type Accounting, addAccounting, type CandleBatch, nothingReceived } from '../../src/store/candles.ts'
import { plus } from '../support/at.ts'
import { type Cost, costOf, rounds, scale } from './measure.ts'
import { findPsql, runPsql } from './psql.ts'
import { candlesIn, type Extent, extentRange, inTimeOrder, type RawPage, rawPages } from './raw-pages.ts'
import { type Row, ratioRow } from './rows.ts'
import { onStage, reset, runId, type Stage } from './stage.ts'

/** A million candles of 50 coins. */
const extent: Extent = { coins: 50, pages: Math.max(1, Math.round(20 * scale)) }

/**
 * Writes the pages as jobs do, as many side by side as a process runs, and returns what became of them. Each has coins
 * of its own: writers of one series take turns.
 */
export async function loadAll(stage: Stage, pages: readonly RawPage[]): Promise<Accounting> {
  const { concurrency } = stage.deps.settings.queue
  const shares = Array.from({ length: concurrency }, (_, share) =>
    pages.filter(({ place }) => place % concurrency === share),
  )
  const ends = await Promise.all(shares.map((share) => loadSome(stage, share)))
  return ends.reduce(addAccounting, nothingReceived)
}

async function loadSome({ deps }: Stage, pages: readonly RawPage[]): Promise<Accounting> {
  const writer = new CandleWriter({ ...deps, steadyClock: deps.clock })
  async function* arriving() {
    for (const page of pages) {
      // Over a network each answer comes in a turn of its own, and what others have under way goes on between two.
      await nextTurn()
      yield { batch: readPage(page), requests: 1, ignored: 0, roundedValues: 0 }
    }
  }
  await writer.takeAll(arriving(), minute)
  await writer.write()
  return writer.filled
}

const arrivalOf = ({ range }: RawPage) => plus(range.to, second)

const parsePage = (page: RawPage): CandleRow[] =>
  binance.candles.parse(page.body.toString(), {
    symbol: page.coinId,
    timeframe: '1m',
    range: page.range,
    asOf: arrivalOf(page),
  })

/** What an answer came to, with the circumstances of its arrival. */
function readPage(page: RawPage): CandleBatch {
  const { coinId, range } = page
  const now = arrivalOf(page)
  const series = { coinId, timeframe: '1m', source: 'binance' } as const
  const prepared = prepareRows(series, parsePage(page), { timeframe: '1m', range, now })
  const resolved = { absentBefore: range.to, finalBefore: range.to }
  return { series, symbol: coinId, answered: range, ...prepared, ...resolved, now, runId }
}

const columns = 'coin_id, timeframe, timestamp, open, high, low, close, volume'

/** The rows as a file of CSV, in the order of time. */
async function writeCsv(path: string, pages: readonly RawPage[]): Promise<void> {
  const lines: { openTime: number; line: string }[] = []
  for (const page of pages) {
    for (const row of parsePage(page)) {
      if (!('candle' in row)) throw new Error(`the page of ${page.coinId} has a flaw: ${row.flaw}`)
      const { openTime, open, high, low, close, volume } = row.candle
      const line = [page.coinId, '1m', toIso(openTime), open, high, low, close, volume].join(',')
      lines.push({ openTime, line })
    }
  }
  lines.sort((a, b) => a.openTime - b.openTime)
  await writeFile(path, `${lines.map(({ line }) => line).join('\n')}\n`)
}

/** What a user would do with changed rows: into a staging table, and from there over what is there. */
const upsert = (csv: string): string[] => [
  'create temporary table staging (like ohlcv_data)',
  `\\copy staging (${columns}) from '${csv}' csv`,
  `insert into ohlcv_data (${columns}) select ${columns} from staging
   on conflict (coin_id, timeframe, timestamp) do update
     set open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume`,
]

const names = ['inTimeOrder', 'coinByCoin', 'equal', 'changed'] as const
type Name = (typeof names)[number]

/** Every way of loading, round by round beside its baseline. */
export const benchLoad = (): Promise<Row[]> => onStage(measureLoads)

async function measureLoads(stage: Stage): Promise<Row[]> {
  const psql = await findPsql()
  const pages = rawPages(extent)
  const inTime = inTimeOrder(pages)
  const changed = inTimeOrder(rawPages(extent, ({ volume }) => `1${volume}`))
  const [csv, changedCsv] = [join(stage.folder, 'rows.csv'), join(stage.folder, 'changed.csv')]
  await writeCsv(csv, pages)
  await writeCsv(changedCsv, changed)
  const count = candlesIn(extent)
  const costs = { inTimeOrder: [], coinByCoin: [], equal: [], changed: [] } as Record<Name, Cost[]>
  const copied: Cost[] = []
  const upserted: Cost[] = []
  const load = async (name: Name, from: readonly RawPage[], expected: Partial<Accounting>) => {
    let accounting = nothingReceived
    costs[name].push(
      await costOf(stage.server, async () => {
        accounting = await loadAll(stage, from)
      }),
    )
    const wrong = Object.entries(expected).find(
      ([kind, wanted]) => accounting[kind as keyof Accounting] !== wanted,
    )
    if (wrong) throw new Error(`${name}: ${JSON.stringify(accounting)}`)
  }
  const fresh = () => reset(stage, extent.coins, extentRange(extent))
  for (let round = 0; round < rounds; round += 1) {
    await fresh()
    copied.push(
      await costOf(stage.server, () =>
        runPsql(psql, stage.url, [`\\copy ohlcv_data (${columns}) from '${csv}' csv`]),
      ),
    )
    upserted.push(await costOf(stage.server, () => runPsql(psql, stage.url, upsert(changedCsv))))
    await fresh()
    await load('inTimeOrder', inTime, { new: count })
    await load('equal', inTime, { unchanged: count })
    await load('changed', changed, { revised: count })
    await fresh()
    await load('coinByCoin', pages, { new: count })
  }
  return rowsOf(costs, copied, upserted, count)
}

function rowsOf(
  costs: Readonly<Record<Name, Cost[]>>,
  copied: readonly Cost[],
  upserted: readonly Cost[],
  candles: number,
): Row[] {
  const rows = candles.toLocaleString('en')
  const copy = 'psql \\copy of the same rows as CSV'
  return [
    ratioRow(
      {
        what: `load ${rows} new candles of ${extent.coins} coins`,
        against: copy,
        target: { speed: 2.2 },
        candles,
      },
      costs.inTimeOrder,
      copied,
    ),
    ratioRow(
      { what: 'load them again, all equal', against: copy, target: { speed: 1.5 }, candles },
      costs.equal,
      copied,
    ),
    ratioRow(
      {
        what: 'load them again, all changed, with revisions',
        against: 'insert … on conflict do update from a staging table',
        target: { speed: 0.8 },
        candles,
      },
      costs.changed,
      upserted,
    ),
    ratioRow(
      {
        what: 'load new ones, coin after coin',
        against: 'the same in the order of time',
        target: { speed: 0.9 },
        candles,
      },
      costs.coinByCoin,
      costs.inTimeOrder,
    ),
  ]
}
