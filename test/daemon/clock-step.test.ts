import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openReplayExchange, type ReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { giveTo, runAs, serverAccount } from '../../src/runtime/embedded/account.ts'
import { stopPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { Releases } from '../../src/runtime/release.ts'
import { commandsIn, type Running } from '../cli/support/beacon.ts'
import { exchangeVariables, openFolder, openSite, writeConfig } from '../cli/support/site.ts'
import { engines, installedPostgres } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { type FakedClock, fakeTimeLibrary, openFakedClock } from '../support/faked-clock.ts'
import { freshRedisUrl } from '../support/fresh-redis.ts'
import { startPostgres } from '../support/installed-postgres.ts'
import { eventsOf, expectGracefulStop, getJson, untilReady } from './ready.ts'

const config = `
track: [bitcoin]
candles: { settleDelay: 1 s }
timeframes:
  1m: { history: 2 hours }
  1h: { history: 2 days }
prices: { every: 1 minute }
`

const hours = 3_600

/** What the daemon's server has recorded as done, by its own clock of now. */
const doneOf = async (url: string): Promise<string[]> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ work: string }>(
      `select distinct job || ' ' || coalesce(payload ->> 'timeframe', '') as work from ingest_runs
       where status = 'done' and finished_at >= (now() at time zone 'UTC') - interval '90 seconds'
         and finished_at <= (now() at time zone 'UTC')`,
    )
    return rows.map(({ work }) => work.trim())
  } finally {
    await client.end()
  }
}

const minutely = ['ingest-candles 1m', 'ingest-prices']
const hourlyToo = ['ingest-candles 1h', ...minutely]

async function untilDone(url: string, wanted: readonly string[]): Promise<void> {
  const done = async () => (await doneOf(url)).filter((work) => wanted.includes(work)).toSorted()
  await eventually(done, [...wanted], 60_000)
}

// The daemon and PostgreSQL go by one clock, as on one machine. Redis cannot be run with a faked one.
describe.skipIf(!fakeTimeLibrary || !installedPostgres)(
  'a clock that is set right while the daemon runs, and while it does not',
  () => {
    const releases = new Releases()
    let exchange: ReplayExchange
    let folder = ''

    beforeAll(async () => {
      folder = await openFolder(releases)
      exchange = await openReplayExchange({ clock: systemClock })
      releases.push(() => exchange.close())
    })
    afterAll(() => releases.release())

    async function startServer(name: string, clock: FakedClock): Promise<string> {
      const dataDir = join(folder, name, 'data')
      await mkdir(dataDir, { recursive: true, mode: 0o711 })
      const account = await serverAccount(dataDir)
      await giveTo(account, dataDir)
      const binDir = installedPostgres?.binDir ?? ''
      await runAs(account, join(binDir, 'initdb'), [
        '--auth=trust',
        '--username=beacon',
        '--no-sync',
        '--locale=C',
        '--encoding=UTF8',
        `--pgdata=${dataDir}`,
      ])
      const port = (await freePort(0)) ?? 0
      const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off']
      await startPostgres(
        binDir,
        dataDir,
        settings.flatMap((setting) => ['-c', setting]),
        account,
        clock.variables,
      )
      releases.push(() => stopPostmaster(dataDir))
      return `postgresql://beacon@127.0.0.1:${port}/postgres`
    }

    describe.concurrent.each(engines)('with the queue on %s', (engine) => {
      // One engine sees the long step while the daemon runs, the other one while it does not.
      const [running, stopped] = engine === 'redis' ? [1, 23] : [23, 1]
      test(`by ${running} hours while it runs, by ${stopped} while it does not: live work goes on within seconds`, async () => {
        await mkdir(join(folder, engine), { mode: 0o711 })
        const clock = await openFakedClock(join(folder, engine))
        await clock.set(running * hours)
        const url = await startServer(engine, clock)
        const commands = commandsIn({
          ...exchangeVariables(exchange),
          ...clock.variables,
          ...(engine === 'redis' ? { REDIS_URL: await freshRedisUrl() } : {}),
          DATABASE_URL: url,
          BEACON_CONFIG: await writeConfig(join(folder, engine), config),
          BEACON_DATA_DIR: join(folder, engine, 'beacon'),
          BEACON_HTTP_PORT: '0',
        })
        releases.push(commands.killAll)
        const daemon = commands.start('start')
        await untilReady(daemon)
        await untilDone(url, hourlyToo)

        await clock.set(0)
        await eventually(() => eventNames(daemon).includes('clock.set-back'), true)
        await untilDone(url, hourlyToo)
        await expectGracefulStop(daemon, 'SIGTERM')

        await clock.set(stopped * hours)
        const ahead = commands.start('start')
        await untilReady(ahead)
        await untilDone(url, minutely)
        await ahead.stop('SIGKILL')
        await clock.set(0)
        const right = commands.start('start')
        const page = await untilReady(right)
        await untilDone(url, minutely)
        expect(eventNames(right)).toContain('clock.set-back')
        await eventually(async () => (await getJson(page, '/readyz')).status, 200)
        await expectGracefulStop(right, 'SIGTERM')
      }, 300_000)
    })
  },
)

const eventNames = (daemon: Running): string[] => eventsOf(daemon).map(({ event }) => event)

describe.skipIf(!fakeTimeLibrary)('a clock that leaves the database’s', () => {
  test.each([120, -120])(
    'by %i s makes the running daemon say that it is not ready, and stops its next start',
    async (aheadSeconds) => {
      await using site = await openSite({ config })
      const clock = await openFakedClock(site.folder)
      const daemon = site.start('start', clock.variables)
      const url = await untilReady(daemon)
      await clock.set(aheadSeconds)
      const direction = aheadSeconds > 0 ? 'ahead of' : 'behind'
      const message = `this machine's clock is 120 s ${direction} the database's: set both by NTP`
      await eventually(
        async () => JSON.stringify((await getJson(url, '/readyz')).body).includes(message),
        true,
      )
      await expectGracefulStop(daemon, 'SIGTERM')
      const refused = await site.run('start', clock.variables)
      expect([refused.code, refused.stderr.split('\n').at(-2)]).toEqual([
        1,
        `error: ${message}, then start again`,
      ])
    },
  )
})
