import { rm, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { Command } from 'commander'
import { systemClock } from '../runtime/clock.ts'
import { freePort } from '../runtime/free-port.ts'
import { baseUrlVariables } from '../settings/base-url-variable.ts'
import { roles } from '../settings/roles.ts'
import { configDir, readSettings } from '../settings.ts'
import { say } from './output.ts'
import { withSession } from './session.ts'
import { runDaemon } from './start.ts'

export const demoCommand = (): Command =>
  new Command('demo')
    .addHelpText(
      'after',
      '\nWhile it runs, `. .beacon/demo/environment` in another terminal lets every command work on its data.',
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
  const dataDir = resolve(own.dataDir, 'demo')
  const config = join(configDir, 'demo.yaml')
  const variables = { BEACON_DATA_DIR: dataDir, ...baseUrlVariables(urls) }
  const httpPort = String((await freePort(own.httpPort)) ?? 0)
  const settings = readSettings({ ...rest, ...variables, BEACON_HTTP_PORT: httpPort }, config)
  say('Replaying recorded candles, one a minute, as if they were now. Ctrl-C ends it.')
  await withSession(
    (session) =>
      runDaemon(session, roles, async () => {
        const file = join(dataDir, 'environment')
        await writeFile(file, environmentText({ ...variables, BEACON_CONFIG: config }))
        session.releases.push(() => rm(file, { force: true }))
        return `Look into its data from another terminal: . ${shortPath(file)} && npx beacon candles bitcoin 1h --plot`
      }),
    { settings, logLevel: 'info' },
  )
}

/** For a shell to read: what takes any command to the demo, its exchange included. */
const environmentText = (variables: Readonly<Record<string, string>>): string =>
  [
    'unset DATABASE_URL REDIS_URL',
    ...Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`),
    '',
  ].join('\n')

/** As it is typed here, where that is shorter. A shell looks for a name without a slash elsewhere. */
function shortPath(file: string): string {
  const short = relative(process.cwd(), file)
  return short.startsWith('..') || !short.includes('/') ? file : short
}
