import { join } from 'node:path'
import { Command } from 'commander'
import { systemClock } from '../runtime/clock.ts'
import { freePort } from '../runtime/free-port.ts'
import { baseUrlVariables } from '../settings/base-url-variable.ts'
import { roles } from '../settings/roles.ts'
import { projectDir, readSettings } from '../settings.ts'
import { say } from './output.ts'
import { withSession } from './session.ts'
import { runDaemon } from './start.ts'

export const demoCommand = (): Command =>
  new Command('demo')
    .description(
      'Run the daemon against the bundled replay exchange, in its own data folder: needs no network.',
    )
    .action(async () => {
      const { openReplayExchange } = await import('../replay/exchange.ts')
      const exchange = await openReplayExchange({ clock: systemClock })
      try {
        await runDemo(exchange.urls)
      } finally {
        await exchange.close()
      }
    })

async function runDemo(urls: ReadonlyMap<string, string>): Promise<void> {
  // A demo must not write into anybody's real database, whatever the environment names.
  const { DATABASE_URL: _database, REDIS_URL: _redis, BEACON_CONFIG: _config, ...rest } = process.env
  const own = readSettings(rest).environment
  const dataDir = join(own.dataDir, 'demo')
  const settings = readSettings(
    {
      ...rest,
      BEACON_DATA_DIR: dataDir,
      BEACON_HTTP_PORT: String((await freePort(own.httpPort)) ?? 0),
      ...baseUrlVariables(urls),
    },
    join(projectDir, 'config', 'demo.yaml'),
  )
  say('Replaying recorded candles, one a minute, as if they were now. Ctrl-C ends it.')
  const hint = `Look into its data from another terminal: BEACON_CONFIG=config/demo.yaml BEACON_DATA_DIR=${dataDir} npx beacon candles bitcoin 1h --plot`
  await withSession((session) => runDaemon(session, roles, hint), { settings, logLevel: 'info' })
}
