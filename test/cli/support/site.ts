import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type Instant, toIso } from '../../../src/market/instant.ts'
import type { Range } from '../../../src/market/range.ts'
import type { Timeframe } from '../../../src/market/timeframe.ts'
import { closedCandles } from '../../../src/replay/candles.ts'
import { openReplayExchange, type ReplayExchange } from '../../../src/replay/exchange.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { Releases } from '../../../src/runtime/release.ts'
import { baseUrlVariables } from '../../../src/settings/base-url-variable.ts'
import { createTestDatabase, type engines, type TestDatabase } from '../../support/database.ts'
import { freshRedisUrl } from '../../support/fresh-redis.ts'
import { type Commands, commandsIn, type Variables } from './beacon.ts'

export type SiteOptions = Readonly<{
  engine?: (typeof engines)[number]
  /** YAML, laid over the default configuration. */
  config?: string
  /** Of the environment, beside those that lead to its servers. */
  variables?: Variables
}>

/** A place where `beacon` runs: a database, a queue, a data folder and an exchange, all of its own. */
export type Site = Commands &
  Readonly<{
    database: TestDatabase
    exchange: ReplayExchange
    folder: string
    variables: Variables
    /** Forgets all that stands in the queues, as a Redis that lost its data. */
    flushRedis(): Promise<void>
    [Symbol.asyncDispose](): Promise<void>
  }>

/** A configuration that makes five jobs of a fortnight of minutes, so that some are at work while others wait. */
export const shortJobs = 'candles:\n  chunk: 5000\n'

export async function openSite({
  engine = 'postgres',
  config,
  variables: more = {},
}: SiteOptions = {}): Promise<Site> {
  const releases = new Releases()
  const folder = await openFolder(releases)
  const database = await createTestDatabase()
  releases.push(() => database.drop())
  const exchange = await openReplayExchange({ clock: systemClock })
  releases.push(() => exchange.close())
  const queue = engine === 'redis' ? { REDIS_URL: await freshRedisUrl() } : {}
  const flushRedis = async () => {
    if ('REDIS_URL' in queue) await flush(queue.REDIS_URL)
  }
  const variables: Variables = {
    ...exchangeVariables(exchange),
    ...queue,
    ...more,
    ...(config === undefined ? {} : { BEACON_CONFIG: await writeConfig(folder, config) }),
    DATABASE_URL: database.url,
    BEACON_DATA_DIR: join(folder, 'data'),
    BEACON_HTTP_PORT: '0',
  }
  const commands = commandsIn(variables)
  releases.push(commands.killAll)
  return {
    ...commands,
    database,
    exchange,
    folder,
    variables,
    flushRedis,
    [Symbol.asyncDispose]: () => releases.release(),
  }
}

/** A folder that the account of an embedded server may enter too; removed with the rest. */
export async function openFolder(releases: Releases): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-site-'))
  releases.push(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o711)
  return folder
}

export const exchangeVariables = ({ urls }: ReplayExchange): Variables => baseUrlVariables(urls)

export async function writeConfig(folder: string, yaml: string): Promise<string> {
  const file = join(folder, 'beacon.yaml')
  await writeFile(file, yaml)
  return file
}

async function flush(url: string): Promise<void> {
  const redis = new Redis(url)
  try {
    await redis.flushdb()
  } finally {
    redis.disconnect()
  }
}

/** How many of these candles of a minute are stored. */
export async function countAt(
  { database: { pool } }: Pick<Site, 'database'>,
  openTimes: readonly Instant[],
): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    `select count(*) from ohlcv_data where timeframe = '1m' and timestamp = any($1::timestamp[])`,
    [openTimes.map(toIso)],
  )
  return Number(rows[0]?.count)
}

/** What one series holds, a line a candle, every value as the table has it. */
export async function storedLines(
  { database: { pool } }: Pick<Site, 'database'>,
  coinId: string,
  timeframe: Timeframe,
): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', to_char(timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), open, high, low, close, volume) as line
     from ohlcv_data where coin_id = $1 and timeframe = $2 order by timestamp`,
    [coinId, timeframe],
  )
  return rows.map(({ line }) => line)
}

/** What the exchange serves as closed of one series, in the same form. */
export const servedLines = (symbol: string, timeframe: Timeframe, range: Range): string[] =>
  closedCandles(symbol, timeframe, range, systemClock.now()).map(
    ({ openTime, open, high, low, close, volume }) =>
      [toIso(openTime), open, high, low, close, volume].join(' '),
  )

/** The first few lines that only one of the two has; long lists that are equal are quickly compared. */
export function differences(stored: readonly string[], served: readonly string[]): string[] {
  if (stored.join('\n') === served.join('\n')) return []
  const [has, serves] = [new Set(stored), new Set(served)]
  const extra = stored.filter((line) => !serves.has(line)).map((line) => `only stored: ${line}`)
  const missing = served.filter((line) => !has.has(line)).map((line) => `only served: ${line}`)
  const counts = `${stored.length} stored, ${served.length} served`
  return [counts, ...extra.slice(0, 3), ...missing.slice(0, 3)]
}
