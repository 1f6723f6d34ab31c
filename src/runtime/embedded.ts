import { join, resolve } from 'node:path'
import { ensureDatabase } from './embedded/beacon-database.ts'
import { chooseHome, dataDirOf, exists, type Home } from './embedded/home.ts'
import { type Keeper, keepRunning } from './embedded/keep-running.ts'
import { inTurn, leaveMark, liveMarks, type Mark } from './embedded/marks.ts'
import { findPostmaster, steadyPostmaster, stopPostmaster } from './embedded/postmaster.ts'
import { readPassword, role, startServer } from './embedded/server.ts'
import { folderFault } from './folder-fault.ts'
import type { Log } from './log.ts'

/** An embedded server, possibly shared by processes. */
export type EmbeddedPostgres = Readonly<{
  /** Contains the password. */
  url: string
  startedHere: boolean
  /** The actual folder, if the server's account could not enter the requested one. */
  dataDir: string
  /** Restarts the server when it ends unexpectedly, until released. */
  keepRunning(): void
  /** Why it could not be restarted. */
  whyDown(): string | undefined
  /** The last user stops the server. Idempotent. */
  release(): Promise<void>
}>

type Options = Readonly<{ dataDir: string; log: Log }>

/**
 * Opens the server of `dataDir`: creates, starts or joins it. Throws Misconfigured if it cannot run here, Unavailable
 * if it does not become ready.
 */
export async function openEmbeddedPostgres({ dataDir, log }: Options): Promise<EmbeddedPostgres> {
  try {
    const home = await chooseHome(resolve(dataDir))
    return await inTurn(turnsOf(home), () => openHome(home, log))
  } catch (error) {
    throw folderFault(error, dataDir) ?? error
  }
}

async function openHome(home: Home, log: Log): Promise<EmbeddedPostgres> {
  const user = await leaveMark(usersOf(home))
  try {
    const startedAt = performance.now()
    const password = await readPassword(home)
    const running = await steadyPostmaster(dataDirOf(home.folder))
    const { port, pid } = running ?? (await startServer(home))
    const url = urlOf(password, port)
    await ensureDatabase(url)
    if (!running)
      reportStart(home, log, { port, postgresPid: pid, tookMs: Math.round(performance.now() - startedAt) })
    let released: Promise<void> | undefined
    let keeper: Keeper | undefined
    return {
      url: url.href,
      startedHere: running === undefined,
      dataDir: home.folder,
      keepRunning: () => {
        keeper ??= keepRunning(home, turnsOf(home), port, log)
      },
      whyDown: () => keeper?.whyDown(),
      release: () => {
        released ??= (async () => {
          await keeper?.stop()
          await inTurn(turnsOf(home), () => leave(home, user))
        })()
        return released
      },
    }
  } catch (error) {
    await leave(home, user)
    throw error
  }
}

/** URL of the folder's running server; undefined if none runs. */
export async function findEmbeddedUrl(dataDir: string): Promise<string | undefined> {
  if (!(await exists(dataDir))) return undefined
  const home = await chooseHome(resolve(dataDir))
  const running = await findPostmaster(dataDirOf(home.folder))
  return running?.status === 'ready' ? urlOf(await readPassword(home), running.port).href : undefined
}

/** No TLS, whatever PGSSLMODE says. */
const urlOf = (password: string, port: number): URL =>
  new URL(`postgresql://${role}:${password}@127.0.0.1:${port}/beacon?sslmode=disable`)

const usersOf = ({ folder }: Home): string => join(folder, 'users')
const turnsOf = ({ folder }: Home): string => join(folder, 'turns')

/** Called within a turn, so that no process joins between the check and the stop. */
async function leave(home: Home, user: Mark): Promise<void> {
  await user.remove()
  const others = await liveMarks(usersOf(home))
  if (others.length === 0) await stopPostmaster(dataDirOf(home.folder))
}

function reportStart({ folder, wanted, account }: Home, log: Log, fields: object): void {
  if (folder !== wanted) {
    log.info('embedded.relocated', { wanted, dataDir: folder, why: `${account.name} cannot enter ${wanted}` })
  }
  log.debug('embedded.started', { dataDir: folder, ...fields })
}
