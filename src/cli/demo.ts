import { rm, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { Command } from 'commander'
import type { ReplayExchange } from '../replay/exchange.ts'
import { claimFolder } from '../runtime/claimed-folder.ts'
import { systemClock } from '../runtime/clock.ts'
import { baseUrlVariables } from '../settings/base-url-variable.ts'
import { roles } from '../settings/roles.ts'
import { configDir, readSettings } from '../settings.ts'
import { type Session, withSession } from './session.ts'
import { runDaemon } from './start.ts'
import { say } from './terminal/output.ts'

export const demoCommand = (): Command =>
  new Command('demo')
    .addHelpText(
      'after',
      '\nWhile it runs, `. .beacon/demo/environment` in another terminal lets every command work on its data.' +
        '\nA second demo at the same time has its own folder (.beacon/demo-2), port and environment file.',
    )
    .action(async () => {
      const { openReplayExchange } = await import('../replay/exchange.ts')
      const exchange = await openReplayExchange({ clock: systemClock })
      try {
        await runDemo(exchange)
      } finally {
        await exchange.close()
      }
    })

async function runDemo(exchange: ReplayExchange): Promise<void> {
  const rest = withoutEngines(process.env)
  // Each demo has its own folder, database and exchange.
  const claimed = await claimFolder(resolve(readSettings(rest).environment.dataDir), 'demo')
  const config = join(configDir, 'demo.yaml')
  const variables = { BEACON_DATA_DIR: claimed.path, ...baseUrlVariables(exchange.urls) }
  try {
    const settings = readSettings({ ...rest, ...variables }, config)
    if (basename(claimed.path) !== 'demo')
      say(`Another demo is running: this one has its data in ${shortPath(claimed.path)}.`)
    say('Replaying recorded candles, one a minute, as if they were now. Ctrl-C ends it.')
    const hintOf = async (session: Session) => {
      const file = join(claimed.path, 'environment')
      await writeFile(file, environmentText({ ...variables, BEACON_CONFIG: config }))
      session.releases.push(() => rm(file, { force: true }))
      return `Look into its data from another terminal: . ${shortPath(file)} && npx beacon candles bitcoin --timeframe 1h --plot`
    }
    await withSession(
      (session) =>
        runDaemon(session, roles, {
          hintOf: () => hintOf(session),
          beside: async (fleet) => {
            const { playDemoEvents } = await import('./demo/events.ts')
            await playDemoEvents({ fleet, exchange, signal: session.signal, say, log: session.log })
          },
          anyPort: true,
        }),
      { settings, logLevel: 'info' },
    )
  } finally {
    await claimed.release()
  }
}

/** A demo must not write to real stores. */
const engines = ['DATABASE_URL', 'REDIS_URL', 'ARCHIVE_URL'] as const

const withoutEngines = (variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(variables).filter(([name]) => ![...engines, 'BEACON_CONFIG'].includes(name)),
  )

/** Shell code that points commands at the demo. */
const environmentText = (variables: Readonly<Record<string, string>>): string =>
  [
    `unset ${engines.join(' ')}`,
    ...Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`),
    '',
  ].join('\n')

/** Relative if shorter; with a slash, as shells search names without one. */
function shortPath(file: string): string {
  const short = relative(process.cwd(), file)
  return short.startsWith('..') || !short.includes('/') ? file : short
}
