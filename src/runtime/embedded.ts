import { join, resolve } from 'node:path'
import { ensureDatabase } from './embedded/beacon-database.ts'
import { chooseHome, dataDirOf, exists, type Home } from './embedded/home.ts'
import { type Keeper, keepRunning } from './embedded/keep-running.ts'
import { dynamicMarks, inTurn, leaveMark, type Mark } from './embedded/marks.ts'
import { findPostmaster, steadyPostmaster, stopPostmaster } from './embedded/postmaster.ts'
import { readPassword, role, startServer } from './embedded/server.ts'
import { folderFault } from './folder-fault.ts'
import type { Log } from './log.ts'

/** A PostgreSQL server of our own that this process uses, perhaps together with others. */
export type EmbeddedPostgres = Readonly<{
  /** Names the database `beacon`, its role and its generated password: not for logs. */
  url: string
  /** Whether this call started it, rather than found it running. */
  startedHere: boolean
  /** Where it really stands: not the folder asked for if the server's account could not enter that. */
  dataDir: string
  /** From now on starts it again where it ends by itself, until it is released. */
  keepRunning(): void
  /** Why it does not run, where it is to be kept running and cannot be started. */
  whyDown(): string | undefined
  /** Says that it is no longer needed; the last one stops it. Calling it again does nothing more. */
  release(): Promise<void>
}>

type Options = Readonly<{ dataDir: string; log: Log }>

/**
 * Opens the PostgreSQL server whose data stands in `dataDir`: creates it, starts it, or joins the one that runs,
 * be it shared with another process or left behind by one that was killed. Throws Misconfigured when it cannot run
 * here, Unavailable when it does not get ready.
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

/** Where the server of the folder is reached that runs already, for a look at it; undefined where none does. */
export async function findEmbeddedUrl(dataDir: string): Promise<string | undefined> {
  if (!(await exists(dataDir))) return undefined
  const home = await chooseHome(resolve(dataDir))
  const running = await findPostmaster(dataDirOf(home.folder))
  return running?.status === 'ready' ? urlOf(await readPassword(home), running.port).href : undefined
}

/** It speaks no TLS, whatever PGSSLMODE asks of the operator's own servers. */
const urlOf = (password: string, port: number): URL =>
  new URL(`postgresql://${role}:${password}@127.0.0.1:${port}/beacon?sslmode=disable`)

const usersOf = ({ folder }: Home): string => join(folder, 'users')
const turnsOf = ({ folder }: Home): string => join(folder, 'turns')

/** Only within a turn: nobody may join between the look at the others and the stop. */
async function leave(home: Home, user: Mark): Promise<void> {
  await user.remove()
  const others = await dynamicMarks(usersOf(home))
  if (others.length === 0) await stopPostmaster(dataDirOf(home.folder))
}

function reportStart({ folder, wanted, account }: Home, log: Log, fields: object): void {
  if (folder !== wanted) {
    log.info('embedded.relocated', { wanted, dataDir: folder, why: `${account.name} cannot enter ${wanted}` })
  }
  log.debug('embedded.started', { dataDir: folder, ...fields })
}
