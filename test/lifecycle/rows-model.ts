import type { Pool } from 'pg'
import { expect } from 'vitest'
import { exportToSink, planExport } from '../../src/files/export/export.ts'
import { checkArchive } from '../../src/lifecycle/archive/check-archive.ts'
import { queryArchive } from '../../src/lifecycle/archive/query-archive.ts'
import { type Instant, toIso } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Settings } from '../../src/settings.ts'
import { refreshView } from '../../src/store/lifecycle/views.ts'
import { aRequest, aSeriesOf } from '../files/exporting.ts'

/** Coin and open time → close: the rows there are, wherever they are stored. */
type Model = Map<string, string>

export type World = { pool: Pool; settings: Settings; model: Model; coins: readonly string[] }

/** The clock of the database cannot be set, and retention compares both. The rows are of 2024 on any day. */
export const now: Instant = systemClock.now()

export const keyOf = (coinId: string, openTime: Instant): string => `${coinId} ${toIso(openTime)}`

const columns = `coin_id || ' ' || strftime(timestamp, '%Y-%m-%dT%H:%M:%S.000Z'), close`

/** A query finds exactly the rows of the model, and so does an export. */
export async function expectSame(world: World): Promise<void> {
  const { rows } = await queryArchive(
    world,
    `select ${columns} from ohlcv_data where timeframe = '1h' order by 1`,
  )
  const wanted = sorted([...world.model])
  expect(rows).toEqual(wanted)
  expect(sorted(await exportedRows(world))).toEqual(wanted)
}

/** Coin and open time, and close, as an export has them; each coin in the order of time. */
async function exportedRows({ pool, settings, coins }: World): Promise<(readonly [string, string])[]> {
  const deps = { pool, settings, now, signal: new AbortController().signal }
  let csv = ''
  const sink = {
    write: async (bytes: Uint8Array) => {
      csv += Buffer.from(bytes).toString()
    },
  }
  const series = coins.map((coinId) => aSeriesOf(coinId, '1h'))
  await exportToSink(deps, await planExport(deps, aRequest(series, '-')), sink, () => undefined)
  const rows = csv.split('\n').slice(1, -1)
  const exported = rows.map((line) => {
    const [coinId, , time = '', , , , close = ''] = line.split(',')
    return [`${coinId} ${time.replace('Z', '.000Z')}`, close] as const
  })
  for (const coinId of coins) {
    const own = exported.filter(([key]) => key.startsWith(`${coinId} `))
    expect(own).toEqual(sorted(own))
  }
  return exported
}

/** A query of one coin and range, which reads only the months and files that it needs. */
export async function expectSameWithin(world: World, coinId: string, { from, to }: Range): Promise<void> {
  const { rows } = await queryArchive(
    world,
    `select ${columns} from ohlcv_data where timeframe = '1h' and coin_id = '${coinId}'
     and timestamp >= '${textOf(from)}' and timestamp < '${textOf(to)}' order by 1`,
  )
  const isWithin = ([key]: readonly [string, string]) => keyOf(coinId, from) <= key && key < keyOf(coinId, to)
  expect(rows).toEqual(sorted([...world.model].filter(isWithin)))
}

const textOf = (instant: Instant): string => toIso(instant).slice(0, 19).replace('T', ' ')

const sorted = (rows: readonly (readonly [string, string])[]) => rows.toSorted(([a], [b]) => (a < b ? -1 : 1))

/** Every row is what was written, and no day is missing in the summary. */
export async function expectSound(world: World): Promise<void> {
  const { pool, settings, coins, model } = world
  const { signal } = new AbortController()
  const { problems } = await checkArchive(
    { pool, settings, clock: { now: () => now }, signal },
    { coinIds: coins, isWhole: true, accept: false },
  )
  expect(problems).toEqual([])
  await refreshView(pool, 'daily_price_summary')
  const { rows } = await pool.query<{ key: string }>(
    `select coin_id || ' ' || day::date as key from daily_price_summary order by 1`,
  )
  const wanted = new Set([...model.keys()].map((key) => key.slice(0, key.indexOf('T'))))
  expect(rows.map(({ key }) => key)).toEqual([...wanted].toSorted())
}
