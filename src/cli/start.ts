import { Command } from 'commander'
import { InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { type Role, roles } from '../settings/roles.ts'
import { type Session, withSession } from './session.ts'
import { say } from './terminal/output.ts'

export const startCommand = (): Command =>
  new Command('start')
    .option('--roles <list>', `run these roles: ${roles.join(',')}; default: all`)
    .addHelpText(
      'after',
      '\nOne more machine is one more `beacon start` with the same DATABASE_URL and REDIS_URL.',
    )
    .action(async (options: { roles?: string }) => {
      const wanted = readRoles(options.roles ?? roles.join(','))
      await withSession((session) => runDaemon(session, wanted), { logLevel: 'info' })
    })

function readRoles(list: string): Role[] {
  return [...new Set(list.split(',').map((name) => name.trim()))].map((name) => {
    const role = roles.find((candidate) => candidate === name)
    if (role) return role
    throw new InvalidInput(
      `--roles "${name}" is unknown.${didYouMean(name, roles)} There is ${roles.join(', ')}`,
    )
  })
}

type RunOptions = Readonly<{
  hintOf?: () => Promise<string>
  /** Runs beside the daemon. */
  beside?: (fleet: Fleet) => Promise<void>
  /** Use any free port if the wanted one is taken. */
  anyPort?: boolean
}>

/** Until the session ends. */
export async function runDaemon(
  session: Session,
  wanted: readonly Role[],
  { hintOf, beside, anyPort = false }: RunOptions = {},
): Promise<void> {
  // Loaded only when needed: a third of all code.
  const { startDaemon } = await import('../daemon.ts')
  const { url, fleet, undone } = await startDaemon({ ...session, roles: wanted, anyPort })
  const hint = await hintOf?.()
  const { httpPort } = session.settings.environment
  if (url && httpPort !== 0 && !url.endsWith(`:${httpPort}`))
    say(`Port ${httpPort} is taken: another one is used.`)
  session.log.info('daemon.ready', { roles: wanted, ...(url ? { url } : {}) })
  if (url) say(`\n  Beacon Ingest is running: ${url}\n${hint ? `  ${hint}\n` : ''}`)
  const ended = Promise.race([stopped(session.signal), undone])
  const [fault] = await Promise.all([ended, Promise.race([beside?.(fleet), undone])])
  session.log.info('daemon.stopping')
  if (fault) throw fault
}

const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
