/**
 * Where the time of a load goes: each step of ours by itself, and the server's steps one on top of the other, by copying
 * the same rows into tables that have ever more of what the real ones have.
 */
import { table } from '../../src/cli/terminal/table.ts'
import { prepareRows } from '../../src/ingest/prepare-rows.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { binance } from '../../src/sources/binance.ts'
import { type CandleRows, candleColumns } from '../../src/store/candles/candle-rows.ts'
import { copyRowsInto } from '../../src/store/candles/copy.ts'
import { findingsOf } from '../../src/store/figures/findings.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { type Findings, median, rounds, scale, seconds } from './measure.ts'
import { candlesIn, extentRange, inTimeOrder, type RawPage, rawPages } from './raw-pages.ts'
import { onStage, reset, type Stage } from './stage.ts'

const extent = { coins: 50, pages: Math.max(1, Math.round(6 * scale)) }

type Step = Readonly<{ what: string; seconds: number }>

export async function benchStages(): Promise<Findings> {
  const pages = inTimeOrder(rawPages(extent))
  const steps = [...ourSteps(pages), ...(await onStage((stage) => serverSteps(stage, pages)))]
  const perMillion = steps.map(({ what, seconds: took }) => ({
    what,
    seconds: (took / candlesIn(extent)) * 1e6,
  }))
  return {
    text: table(perMillion, [
      { title: 'step', of: ({ what }) => what },
      { title: 'seconds for a million', of: (step) => step.seconds.toFixed(2), align: 'right' },
    ]),
    json: { rounds, candles: candlesIn(extent), steps: perMillion },
  }
}

/** How long the work takes, in seconds, as the median of the rounds. */
function timed<T>(work: () => T): { took: number; result: T } {
  const times: number[] = []
  let result = work()
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now()
    result = work()
    times.push((performance.now() - startedAt) / 1_000)
  }
  return { took: median(times), result }
}

const seriesOf = ({ coinId }: RawPage) => ({ coinId, timeframe: '1m', source: 'binance' }) as const

const prepare = (page: RawPage, rows: readonly CandleRow[]): CandleRows =>
  prepareRows(seriesOf(page), rows, { timeframe: '1m', range: page.range, now: page.range.to }).rows

function ourSteps(pages: readonly RawPage[]): Step[] {
  const parsed = timed((): CandleRow[][] =>
    pages.map(({ body, range }) =>
      binance.candles.parse(body.toString(), { symbol: 'any', timeframe: '1m', range, asOf: range.to }),
    ),
  )
  const prepared = timed(() => pages.map((page, place) => prepare(page, parsed.result[place] ?? [])))
  const found = timed(() =>
    pages.map(({ range }, page) =>
      findingsOf({
        ...{ timeframe: '1m', answered: range, absentBefore: range.to },
        ...{ openTimes: prepared.result[page]?.openTimes ?? [], rejected: [] },
      }),
    ),
  )
  return [
    { what: 'ours: read the answers', seconds: parsed.took },
    { what: 'ours: check, and encode for COPY', seconds: prepared.took },
    { what: 'ours: the findings for the ledger', seconds: found.took },
  ]
}

const like = 'like ohlcv_data including defaults'

/** Each has what the one before has, and something more. */
const tables = [
  { what: 'server: COPY into an unlogged heap', make: [`create unlogged table step_0 (${like})`] },
  { what: '… with the checks', make: [`create unlogged table step_1 (${like} including constraints)`] },
  {
    what: '… and the key with its index',
    make: [
      `create unlogged table step_2 (${like} including constraints)`,
      'alter table step_2 add primary key (coin_id, timeframe, timestamp)',
    ],
  },
  {
    what: '… and the log of changes',
    make: [
      `create table step_3 (${like} including constraints)`,
      'alter table step_3 add primary key (coin_id, timeframe, timestamp)',
    ],
  },
  {
    what: '… and the trigger of the foreign key',
    make: [
      `create table step_4 (${like} including constraints)`,
      'alter table step_4 add primary key (coin_id, timeframe, timestamp)',
      'alter table step_4 add foreign key (coin_id) references coins (id)',
    ],
  },
]

/** So many pages are one COPY and one commit, as in a load. */
const pagesPerCommit = 20

async function serverSteps(stage: Stage, pages: readonly RawPage[]): Promise<Step[]> {
  await reset(stage, extent.coins, extentRange(extent))
  const rows = pages.map((page) => {
    const query = { symbol: 'any', timeframe: '1m', range: page.range, asOf: page.range.to } as const
    const parsed = binance.candles.parse(page.body.toString(), query)
    return prepare(page, parsed).bytes
  })
  for (const statement of tables.flatMap(({ make }) => make)) await stage.pool.query(statement)
  const took = tables.map((): number[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [place, times] of took.entries()) times.push(await copyAll(stage, `step_${place}`, rows))
  }
  return tables.map(({ what }, place) => ({ what, seconds: median(took[place] ?? []) }))
}

async function copyAll({ pool }: Stage, name: string, rows: readonly Buffer[]): Promise<number> {
  await pool.query(`truncate ${name}`)
  await pool.query('checkpoint')
  return seconds(async () => {
    for (let first = 0; first < rows.length; first += pagesPerCommit) {
      const some = rows.slice(first, first + pagesPerCommit)
      await inTransaction(pool, (tx) => copyRowsInto(tx, name, candleColumns, some), 'load')
    }
  })
}
