import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { hour, plus, toInstant } from '../../src/market/instant.ts'
import { openReplayExchange, type ReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { findPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { Releases } from '../../src/runtime/release.ts'
import { type Commands, commandsIn } from '../cli/support/beacon.ts'
import { differences, exchangeVariables, openFolder, servedLines, writeConfig } from '../cli/support/site.ts'
import { eventually } from '../support/eventually.ts'
import { eventsOf, expectGracefulStop, getJson, untilReady } from './ready.ts'

/** A machine on which no database and no queue is configured. */
type Bare = Commands &
  Readonly<{
    exchange: ReplayExchange
    /** Where the database is kept, and so all else of that kind. */
    dataDir: string
    /** The server that runs on the data; undefined when none does. */
    server(): Promise<number | undefined>
    [Symbol.asyncDispose](): Promise<void>
  }>

/** `within`: the part of the data folder that the database stands in. */
async function openBare(within = ''): Promise<Bare> {
  const releases = new Releases()
  const folder = await openFolder(releases)
  const exchange = await openReplayExchange({ clock: systemClock })
  releases.push(() => exchange.close())
  const dataDir = join(folder, 'data', within)
  const server = async () => (await findPostmaster(join(dataDir, 'postgres/data')))?.pid
  releases.push(async () => {
    const pid = await server()
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  })
  const commands = commandsIn({
    ...exchangeVariables(exchange),
    // A demo has a configuration of its own.
    BEACON_CONFIG: await writeConfig(folder, 'track: [bitcoin]\ntimeframes: { 1m: { history: 2 hours } }\n'),
    BEACON_DATA_DIR: join(folder, 'data'),
    BEACON_HTTP_PORT: '0',
  })
  releases.push(commands.killAll)
  return { ...commands, exchange, dataDir, server, [Symbol.asyncDispose]: () => releases.release() }
}

/** What the path of a busy daemon answers; undefined as long as it answers with an error. */
async function answerOf<T>(
  url: string | undefined,
  path: string,
  shape: z.ZodType<T>,
): Promise<T | undefined> {
  const { status, body } = await getJson(url, path)
  return status === 200 ? shape.parse(body) : undefined
}

/** How many coins have candles of every timeframe, with none of their history still to come. */
async function countWhole(url: string | undefined): Promise<number> {
  const series = (await answerOf(url, '/api/status', shown))?.series ?? []
  const counts = ['1m', '1h', '1d'].map(
    (timeframe) =>
      series.filter(
        (one) => one.timeframe === timeframe && one.lastOpenTime !== null && one.missingCandles === 0,
      ).length,
  )
  return Math.min(...counts)
}

const candlesAnswer = z.object({ candles: z.array(z.record(z.string(), z.string())) })

const shown = z.object({
  overall: z.object({
    findings: z.array(z.object({ key: z.string(), state: z.string(), message: z.string() })),
  }),
  bans: z.array(z.object({ kind: z.string() })).nullable(),
  series: z.array(
    z.object({
      timeframe: z.string(),
      lastOpenTime: z.string().nullable(),
      missingCandles: z.number(),
    }),
  ),
  runs: z.array(
    z.object({
      status: z.string(),
      willRetry: z.boolean(),
      counts: z.object({ revised: z.number().nullable(), quarantined: z.number().nullable() }),
    }),
  ),
})
const activity = z.object({
  sources: z.array(z.object({ backfill: z.object({ doneCandles: z.number() }).nullable() })),
})

/** Waits until the page has shown everything that the demo is there for, and that nothing failed meanwhile. */
async function expectDemoEvents(url: string | undefined): Promise<void> {
  const seen = new Set<string>()
  const wrong: unknown[] = []
  const poll = async () => {
    const status = await answerOf(url, '/api/status', shown)
    const sources = (await answerOf(url, '/api/sources', activity))?.sources ?? []
    if (sources.some(({ backfill }) => (backfill?.doneCandles ?? 0) > 0)) seen.add('backfill')
    if (!status) return [...seen].toSorted()
    const missing = status.series.reduce((sum, { missingCandles }) => sum + missingCandles, 0)
    const loaded = seen.has('loaded')
    if (missing === 0) seen.add(seen.has('hole') ? 'hole repaired' : 'loaded')
    if (loaded && missing > 0) seen.add('hole')
    if (status.bans?.some(({ kind }) => kind === 'slow-down')) seen.add('rate limit')
    if (status.runs.some(({ counts }) => counts.revised)) seen.add('revision')
    if (status.runs.some(({ counts }) => counts.quarantined)) seen.add('rejected row')
    // A store that a busy machine keeps waiting is reported too, and is not of the demo's making.
    const ofData = status.overall.findings.filter(({ key }) =>
      /^(?:run|series|candles|prices|source)\./.test(key),
    )
    wrong.push(...ofData.filter(({ state }) => state === 'attention'))
    wrong.push(...status.runs.filter((run) => run.status === 'failed' && !run.willRetry))
    return [...seen].toSorted()
  }
  const all = ['backfill', 'hole', 'hole repaired', 'loaded', 'rate limit', 'rejected row', 'revision']
  await eventually(poll, all, 170_000)
  expect(wrong).toEqual([])
}

/** The candles of bitcoin that the demo shows are those of its exchange. */
async function expectFortnight(bare: Bare, url: string | undefined): Promise<void> {
  await eventually(async () => (await countWhole(url)) >= 5, true)
  const hours = 14 * 24 - 1
  const [shown] = await bare.runLines([
    {
      line: `candles bitcoin --timeframe 1h --json --last ${hours}`,
      variables: { BEACON_DATA_DIR: bare.dataDir },
    },
  ])
  expect(shown).toMatchObject({ code: 0, stderr: '' })
  const { candles } = candlesAnswer.parse(JSON.parse(shown?.stdout ?? ''))
  const from = toInstant(Date.parse(candles[0]?.openTime ?? ''))
  const served = servedLines('BTCUSDT', '1h', { from, to: plus(from, hours * hour) })
  expect(
    differences(
      candles.map((candle) => Object.values(candle).join(' ')),
      served,
    ),
  ).toEqual([])
}

test.concurrent('the demo shows a fortnight of several coins, a backfill, a rate limit, a repaired hole, a rejected row and a revision, nothing fails, and nothing is left', async () => {
  await using bare = await openBare('demo')
  const demo = bare.start('demo', {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/real',
    REDIS_URL: 'redis://127.0.0.1:1',
    BEACON_CONFIG: '/nowhere.yaml',
  })
  const url = await untilReady(demo)
  await Promise.all([expectDemoEvents(url), expectFortnight(bare, url)])

  // What it leaves for other terminals takes a command to its data and its exchange.
  const file = join(bare.dataDir, 'environment')
  expect(demo.stderr()).toContain(`another terminal: . ${file} && npx beacon`)
  const variables = await readExports(file)
  const [verified] = await bare.runLines([
    { line: 'verify bitcoin --timeframe 1h --from -12h --json', variables },
  ])
  expect(verified).toMatchObject({ code: 0 })

  await expectGracefulStop(demo, 'SIGINT')
  expect(existsSync(file)).toBe(false)
  expect(await bare.server()).toBeUndefined()
  // It has an exchange of its own.
  expect(bare.exchange.requests).toEqual([])
}, 240_000)

/** What a shell would read from the file. */
async function readExports(file: string): Promise<Record<string, string>> {
  const exports = (await readFile(file, 'utf8')).matchAll(/^export (\w+)='(.*)'$/gm)
  return Object.fromEntries([...exports].map(([, name = '', value = '']) => [name, value]))
}

test.concurrent('demos started at once in one folder have a folder, a port and an exchange each, and one outlives the other', async () => {
  await using bare = await openBare('demo')
  const wanted = String(await freePort(0))
  const demos = [1, 2].map(() =>
    bare.start('demo', { BEACON_HTTP_PORT: wanted, ARCHIVE_URL: 's3://real-bucket/archive' }),
  )
  const urls = await Promise.all(demos.map(untilReady))
  expect(new Set(urls).size).toBe(2)
  // Another program may have taken the port meanwhile: then both demos use another one.
  const reported = demos.map((demo) =>
    demo.stderr().includes(`Port ${wanted} is taken: another one is used.`),
  )
  expect(reported).toEqual(urls.map((url) => url !== `http://127.0.0.1:${wanted}`))
  const second = demos.findIndex((demo) => demo.stderr().includes(`has its data in ${bare.dataDir}-2.`))
  expect(second).not.toBe(-1)

  const files = [bare.dataDir, `${bare.dataDir}-2`].map((folder) => join(folder, 'environment'))
  const [first, other] = await Promise.all(files.map(readExports))
  if (!first || !other) throw new Error('there are two files')
  expect([first.BEACON_DATA_DIR, other.BEACON_DATA_DIR]).toEqual([bare.dataDir, `${bare.dataDir}-2`])
  for (const [name, url] of Object.entries(first))
    if (name.endsWith('_BASE_URL')) expect([name, other[name]]).not.toEqual([name, url])

  await demos[1 - second]?.stop('SIGKILL')
  await eventually(async () => (await getJson(urls[second], '/readyz')).status, 200)
  const [listed, adopted] = await bare.runLines([
    { line: 'partitions ensure', variables: other },
    // The server of the one that was killed is adopted, and ended.
    { line: 'partitions list', variables: first },
  ])
  expect([listed?.code, adopted?.code]).toEqual([0, 0])
  expect(await bare.server()).toBeUndefined()

  const remaining = demos[second]
  if (!remaining) throw new Error('one is left')
  await expectGracefulStop(remaining, 'SIGINT')
  expect(files.map((file) => existsSync(file))).toEqual([true, false])
}, 240_000)

test.concurrent('commands share a server of their own, adopt it after a kill, and the last one ends it', async () => {
  await using bare = await openBare()
  const created = await Promise.all([bare.run('migrate up --json'), bare.run('migrate up --json')])
  expect(created.map(({ code }) => code)).toEqual([0, 0])
  expect(created.map(({ stderr }) => stderr).join('')).toMatch(
    /^Creating a PostgreSQL database in .*data\.\n/,
  )
  const both = await Promise.all([bare.run('coins list --json'), bare.run('coins list --json')])
  for (const { code, stdout, stderr } of both) {
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout).coins).toHaveLength(1)
  }
  expect(await bare.server()).toBeUndefined()

  const killed = bare.start('start')
  expect(await getJson(await untilReady(killed), '/readyz')).toMatchObject({ status: 200 })
  const server = await bare.server()
  expect(server).toBeDefined()
  await killed.stop('SIGKILL')
  expect(await bare.server()).toBe(server)

  const adopting = bare.start('start --roles scheduler')
  await untilReady(adopting)
  expect(await bare.server()).toBe(server)
  expect(await bare.run('coverage')).toMatchObject({ code: 0, stderr: '' })
  await expectGracefulStop(adopting, 'SIGTERM')
  expect(await bare.server()).toBeUndefined()
}, 120_000)

test.concurrent('a server that ends by itself is started again on its port, and the work goes on', async () => {
  await using bare = await openBare()
  const daemon = bare.start('start')
  const url = await untilReady(daemon)
  const before = await bare.server()
  if (before === undefined) throw new Error('the daemon has a server')
  process.kill(before, 'SIGKILL')
  await eventually(async () => {
    const pid = await bare.server()
    return pid !== undefined && pid !== before
  }, true)
  await eventually(async () => (await getJson(url, '/readyz')).status, 200)
  expect(eventsOf(daemon).map(({ event }) => event)).toContain('embedded.restarted')
  await expectGracefulStop(daemon, 'SIGTERM')
  expect(await bare.server()).toBeUndefined()
})
