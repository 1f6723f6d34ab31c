import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Pool } from 'pg'
import { queues } from '../../jobs/catalog.ts'
import { openEngine } from '../../src/queue/engine.ts'
import { openReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { baseUrlVariables } from '../../src/settings/base-url-variable.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { commandsIn, type Running } from '../cli/support/beacon.ts'
import { findProgram } from '../support/redis.ts'
import { RedisServers } from '../support/redis-server.ts'
import { type Sample, takeSample } from './samples.ts'

export type SoakEngine = 'PostgreSQL' | 'Redis'

/** Both, where a Redis can be found. */
export async function engineNames(): Promise<SoakEngine[]> {
  const program = (await findProgram('redis-server')) ?? (await findProgram('valkey-server'))
  if (program === undefined)
    process.stdout.write('no redis-server is installed: the queue runs on PostgreSQL only\n')
  return program === undefined ? ['PostgreSQL'] : ['PostgreSQL', 'Redis']
}

const config = `
track: [bitcoin, ethereum, dogecoin, shiba-inu, pepe, ripple]
candles: { settleDelay: 1 s, chunk: 1000 }
timeframes:
  1d: { history: 30 days }
prices: { every: 1 minute }
`

const sampleEveryMs = 10_000

/** Runs a daemon for so long, with a backfill of another day of candles and a read of the page between two samples. */
export async function soak(
  engine: SoakEngine,
  minutes: number,
  onSample: (sample: Sample) => void,
): Promise<Sample[]> {
  const releases = new Releases()
  try {
    const site = await openSoakSite(engine, releases)
    const daemon = site.commands.start('start')
    const page = await pageOf(daemon)
    const startedAt = performance.now()
    const minutesNow = () => (performance.now() - startedAt) / 60_000
    const samples: Sample[] = []
    for (let round = 0; minutesNow() < minutes; round += 1) {
      await work(site.commands, page, round)
      await setTimeout(Math.max(0, (round + 1) * sampleEveryMs - (performance.now() - startedAt)))
      const sample = await takeSample({ ...site, pid: daemon.pid }, minutesNow())
      samples.push(sample)
      onSample(sample)
    }
    const { code } = await daemon.stop('SIGTERM')
    if (code !== 0) throw new Error(`the daemon ended with ${code}: ${daemon.stderr().slice(-2_000)}`)
    return samples
  } finally {
    await releases.release()
  }
}

async function openSoakSite(engine: SoakEngine, releases: Releases) {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-soak-'))
  releases.push(() => rm(folder, { recursive: true, force: true }))
  // As root, the server runs as another account, which must be able to enter.
  await chmod(folder, 0o711)
  const log = openLog({ level: 'error', pretty: false })
  const server = await openEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log })
  releases.push(server.release)
  await migrateUp(server.url)
  const pool = new Pool({ connectionString: server.url, max: 2 })
  releases.push(() => pool.end())
  const servers = new RedisServers(folder)
  releases.push(() => servers.close())
  const redis = engine === 'Redis' ? await servers.start() : undefined
  const redisUrl = redis && `redis://127.0.0.1:${redis.port}`
  const exchange = await openReplayExchange({ clock: systemClock })
  releases.push(() => exchange.close())
  await writeFile(join(folder, 'beacon.yaml'), config)
  const commands = commandsIn({
    ...baseUrlVariables(exchange.urls),
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    DATABASE_URL: server.url,
    BEACON_CONFIG: join(folder, 'beacon.yaml'),
    BEACON_DATA_DIR: join(folder, 'beacon'),
    BEACON_HTTP_PORT: '0',
  })
  releases.push(commands.killAll)
  const queueEngine = await openEngine({ databaseUrl: server.url, redisUrl, log, clock: systemClock })
  releases.push(() => queueEngine.close())
  const queued = async (): Promise<number> => {
    const counts = await Promise.all(
      queues.map((name) =>
        queueEngine.queue(name).getJobCounts('waiting', 'prioritized', 'active', 'failed'),
      ),
    )
    return counts.flatMap((one) => Object.values(one)).reduce((sum, count) => sum + count, 0)
  }
  return { commands, pool, queued }
}

/** Where the page of a daemon is, once it is ready. */
async function pageOf(daemon: Running): Promise<string> {
  for (let tries = 0; tries < 600; tries += 1) {
    const url =
      /"url":"([^"]+)"[^\n]*"event":"daemon\.ready"|"event":"daemon\.ready"[^\n]*"url":"([^"]+)"/.exec(
        daemon.stderr(),
      )
    if (url?.[1] ?? url?.[2]) return url[1] ?? url[2] ?? ''
    await setTimeout(100)
  }
  throw new Error(`the daemon does not get ready: ${daemon.stderr().slice(-2_000)}`)
}

async function work({ run }: ReturnType<typeof commandsIn>, page: string, round: number): Promise<void> {
  const day = (after: number) => new Date(Date.UTC(2024, 2, 1 + after)).toISOString().slice(0, 10)
  const range = `--from ${day(round)} --to ${day(round + 1)}`
  const { code, stderr } = await run(`backfill bitcoin --timeframe 1m ${range} --force --no-archive`)
  if (code !== 0) throw new Error(`a backfill failed: ${stderr}`)
  for (const path of ['/api/status', '/api/maintenance', '/metrics', '/readyz']) {
    const response = await fetch(new URL(path, page))
    await response.arrayBuffer()
  }
}
