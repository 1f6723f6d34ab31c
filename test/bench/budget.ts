/**
 * Three worker processes that share one budget and never rest, against a server that enforces the documented limits.
 * BENCH_SECONDS (125, two minutes of the longest window) says for how long.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { table } from '../../src/cli/terminal/table.ts'
import { minute, second } from '../../src/market/instant.ts'
import { RequestMeter } from '../../src/replay/limits.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { openRedis } from '../support/redis.ts'
import { scriptFile } from '../support/scripts.ts'
import { asked, share } from './budget-limits.ts'
import type { Findings } from './measure.ts'

const benchMs = Number(process.env.BENCH_SECONDS ?? 125) * second
const processes = 3

type Served = Readonly<{ at: number; weight: number }>
type Tally = { served: Served[]; refused: number }

/** Counts by the clock of its own, in sliding windows, or calendar minutes where the source does. */
function openServer(): { open(): Promise<string>; close(): Promise<void>; tallies: Map<string, Tally> } {
  const tallies = new Map<string, Tally>()
  const meters = new Map(
    asked.map(({ source, rateLimits }) => {
      const windows = rateLimits.map(({ points, perMs }) => ({
        points,
        perMs,
        ...(perMs === minute && { aligned: true as const }),
      }))
      return [source, new RequestMeter({ windows }, { refuses: true })] as const
    }),
  )
  for (const { source } of asked) tallies.set(source, { served: [], refused: 0 })
  const server = createServer(({ url = '' }, response) => {
    const source = url.slice(1)
    const one = asked.find((candidate) => candidate.source === source)
    const tally = tallies.get(source)
    if (!one || !tally) throw new Error(`nobody was to ask for ${url}`)
    const { weight, rateLimits } = one
    const now = systemClock.now()
    const charge = meters.get(one.source)?.charge('here', weight, now)
    const served = charge?.decision === 'served'
    if (served) tally.served.push({ at: now, weight })
    else tally.refused += 1
    const usedHeader = rateLimits[0]?.usedHeader
    response.writeHead(served ? 200 : 429, {
      'content-type': 'application/json',
      ...(usedHeader === undefined ? {} : { [usedHeader]: String(charge?.used[0]) }),
    })
    response.end('[]')
  })
  // Longer than clients keep theirs, so that none of them is hung up on as it sends.
  server.keepAliveTimeout = minute
  return {
    tallies,
    open: async () => {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Stores = Readonly<{ databaseUrl: string; redisUrl: string | undefined }>

function startWorker({ databaseUrl, redisUrl }: Stores, baseUrl: string): ChildProcess {
  return spawn(process.execPath, [scriptFile('bench/budget-process')], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      PATH: process.env.PATH,
      BENCH_DATABASE_URL: databaseUrl,
      ...(redisUrl === undefined ? {} : { BENCH_REDIS_URL: redisUrl }),
      BENCH_BASE_URL: baseUrl,
    },
  })
}

async function measure(stores: Stores) {
  const server = openServer()
  const baseUrl = await server.open()
  const workers = Array.from({ length: processes }, () => startWorker(stores, baseUrl))
  const ends = workers.map((worker) => once(worker, 'exit'))
  const over = new AbortController()
  const end = await Promise.race([wait(benchMs, undefined, { signal: over.signal }), ...ends])
  over.abort()
  for (const worker of workers) worker.kill('SIGTERM')
  await Promise.all(ends)
  await server.close()
  if (end !== undefined) throw new Error('a worker ended before its time')
  const engine = stores.redisUrl === undefined ? 'PostgreSQL' : 'Redis'
  return asked.map((one) => ({ engine, ...resultOf(one, server.tallies.get(one.source)) }))
}

function resultOf({ source, rateLimits }: (typeof asked)[number], tally: Tally | undefined) {
  const [limit] = rateLimits
  const [first] = tally?.served ?? []
  if (!limit || !tally || !first) throw new Error(`nobody asked ${source}`)
  const { points, perMs } = limit
  const allowed = Math.floor(points * share + 1e-9)
  const windows = Math.floor((benchMs - 3 * second) / perMs)
  const end = first.at + windows * perMs
  const used = sum(tally.served.filter(({ at }) => at < end))
  return {
    source,
    limit: `${points} in ${perMs / second} s`,
    windows,
    share: used / (windows * allowed),
    busiest: busiestWindow(tally.served, perMs) / allowed,
    refused: tally.refused,
  }
}

const sum = (served: readonly Served[]): number => served.reduce((total, { weight }) => total + weight, 0)

/** The most that any window holds, wherever it begins. */
function busiestWindow(served: readonly Served[], perMs: number): number {
  let [most, held, oldest] = [0, 0, 0]
  for (const { at, weight } of served) {
    held += weight
    for (let one = served[oldest]; one && one.at <= at - perMs; one = served[oldest]) {
      held -= one.weight
      oldest += 1
    }
    most = Math.max(most, held)
  }
  return most
}

/** The same on both stores, one after another. */
export async function benchBudget(): Promise<Findings> {
  const releases = new Releases()
  try {
    const dir = await mkdtemp(join(tmpdir(), 'beacon-bench-'))
    releases.push(() => rm(dir, { recursive: true, force: true }))
    const log = openLog({ level: 'error', pretty: false })
    const server = await openEmbeddedPostgres({ dataDir: join(dir, 'postgres'), log })
    releases.push(() => server.release())
    await migrateUp(server.url)
    const redis = await openRedis(dir)
    if (redis) releases.push(() => redis.close())
    const stores = [undefined, ...(redis ? [redis.url] : [])]
    const results = []
    for (const redisUrl of stores) results.push(...(await measure({ databaseUrl: server.url, redisUrl })))
    return {
      text: table(results, [
        { title: 'budget on', of: ({ engine }) => engine },
        { title: 'source', of: ({ source }) => source },
        { title: 'limit', of: ({ limit }) => limit },
        { title: 'windows', of: ({ windows }) => String(windows), align: 'right' },
        { title: 'share used', of: (result) => percent(result.share), align: 'right' },
        { title: 'busiest window', of: ({ busiest }) => percent(busiest), align: 'right' },
        { title: '429', of: ({ refused }) => String(refused), align: 'right' },
      ]),
      json: { bench: 'budget', seconds: benchMs / second, processes, share, results },
    }
  } finally {
    await releases.release()
  }
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`
